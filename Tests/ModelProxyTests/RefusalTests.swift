// Part of Rollcall. SPDX-License-Identifier: Apache-2.0

import EvalProtocol
import ModelProxy
import NIOCore
import NIOHTTP1
import TestSupport
import Testing
import TraceStore
import WireJSON

@Suite("ModelProxy: what is not passed on")
struct RefusalTests {
    struct Case: Sendable, CustomTestStringConvertible {
        var method = "POST"
        var path: String
        var body = #"{"messages":[]}"#
        var status: Int
        var words: [String] = []
        var testDescription: String { "\(method) \(path.suffix(40)) \(body.prefix(20))" }
    }

    static let tags = TestGateway.tags

    @Test(
        "bad requests are answered with the status and words that help",
        arguments: [
            Case(path: "\(tags)/responses", status: 404, words: ["OpenAIChatCompletionsModel", "chat completions"]),
            Case(path: "\(tags)/v1/messages", status: 404, words: ["chat completions"]),
            Case(path: "\(tags)/completions", status: 404, words: ["chat completions"]),
            Case(path: "/v1/completions", status: 404, words: ["chat completions"]),
            Case(path: "/v1/responses", status: 404, words: ["chat completions"]),
            Case(path: "/messages", status: 404, words: ["chat completions"]),
            Case(method: "GET", path: "\(tags)/chat/completions", status: 405, words: ["POST"]),
            Case(method: "POST", path: "/v1/models", status: 405, words: ["GET"]),
            Case(path: "\(tags)/chat/completions", body: #"{"a":1,}"#, status: 400, words: ["byte 7"]),
            Case(path: "\(tags)/chat/completions", body: "[1]", status: 400, words: ["object"]),
            Case(path: "/chat/completions", body: "", status: 400, words: ["JSON"]),
            Case(
                path: "/rollout_id/%ff/invocation_id/I/experiment_id/E/run_id/N/row_id/W/chat/completions", status: 400,
                words: ["rollout_id"]),
            Case(path: "\(tags)/encoded_base_url/!!!/chat/completions", status: 400, words: ["encoded_base_url"]),
            Case(
                path: "\(tags)/encoded_base_url/aHR0cDovL2V4YW1wbGUuY29t/chat/completions", status: 403,
                words: ["--allow-upstream"]),
            Case(path: "/rollout_id/R/chat/completions", status: 418),
            Case(method: "GET", path: "/health", status: 418),
            Case(path: "/logs", status: 418),
        ])
    func table(_ example: Case) async throws {
        try await ScriptedHTTPServer.with({ _ in .text("unexpected") }) { upstream in
            try await TestGateway.with(upstream: upstream.url) { gateway in
                let answer = try await gateway.exchange(example.method, example.path, body: example.body)
                #expect(answer.status == example.status && answer.isWhole)
                for word in example.words { #expect(answer.text.contains(word)) }
                if answer.status != 418 {
                    let json = try JSONValue(parsing: answer.body)
                    #expect(json["error"]?["message"]?.string == json["detail"]?.string)
                    #expect(answer["x-rollcall-request-id"] != nil && answer["x-should-retry"] == "false")
                }
                #expect(upstream.requests.isEmpty)
            }
        }
    }

    @Test("a rollout's log tells of a request to another API")
    func warning() async throws {
        try await TestGateway.with(upstream: "http://127.0.0.1:1") { gateway in
            _ = try await gateway.exchange("POST", "/attempt/a1\(TestGateway.tags)/responses")
            try await eventually("the line") { gateway.store.logs.count == 1 }
            let line = gateway.store.logs[0]
            #expect(line.severity == "WARNING" && line.rolloutIDs == ["R"] && line.attempt == AttemptID("a1"))
        }
    }

    @Test("without an upstream calls are 503 naming the flag")
    func noUpstream() async throws {
        try await TestGateway.with(upstream: nil) { gateway in
            let answer = try await gateway.exchange()
            #expect(answer.status == 503 && answer.text.contains("--upstream"))
        }
    }

    @Test("with keys the bearer decides, and does not go on to the upstream")
    func keys() async throws {
        try await ScriptedHTTPServer.with({ _ in .text(Script.completion) }) { upstream in
            try await TestGateway.with(
                upstream: upstream.url, upstreamKey: "upstream-secret", configure: { $0.keys = KeyRing(list: "k1") }
            ) { gateway in
                let refused = try await gateway.exchange(headers: ["authorization: Bearer k2"])
                #expect(refused.status == 401)
                #expect(refused.text.contains("FIREWORKS_API_KEY") && refused.text.contains("EP_REMOTE_API_KEY"))
                #expect(try await gateway.exchange(headers: ["Authorization: Bearer k1"]).status == 200)
                #expect(upstream.requests.map { $0.headers["authorization"] } == [["Bearer upstream-secret"]])
                #expect(gateway.store.calls[0].edits == ["authorization"])
            }
            try await TestGateway.with(upstream: upstream.url, configure: { $0.keys = KeyRing(list: "k1") }) {
                gateway in
                _ = try await gateway.exchange(headers: ["Authorization: Bearer k1"])
                #expect(upstream.requests.last?.headers["authorization"] == [])
            }
        }
    }

    struct Origin: Sendable, CustomTestStringConvertible {
        var keys: KeyRing
        var forwards = false
        var hasKey = false
        var authorization: String?
        var testDescription: String { "\(keys), forwards \(forwards), has a key \(hasKey)" }
    }

    @Test(
        "the upstream's key stays at its origin; elsewhere an own key goes, or without keys or by the flag the caller's",
        arguments: [
            Origin(keys: .open, authorization: "Bearer k1"),
            Origin(keys: .open, hasKey: true, authorization: "Bearer other-secret"),
            Origin(keys: KeyRing(list: "k1"), authorization: nil),
            Origin(keys: KeyRing(list: "k1"), hasKey: true, authorization: "Bearer other-secret"),
            Origin(keys: KeyRing(list: "k1"), forwards: true, authorization: "Bearer k1"),
            Origin(keys: KeyRing(list: "k1"), forwards: true, hasKey: true, authorization: "Bearer other-secret"),
        ])
    func origins(_ example: Origin) async throws {
        let upstream = try await ScriptedHTTPServer.start { _ in .text(Script.completion) }
        let other = try await ScriptedHTTPServer.start { _ in .text(Script.completion) }
        let headers = ["authorization: Bearer k1"]
        let encoded = Base64.encoded(Array(other.url.utf8), alphabet: .urlSafe)
        let path = "\(Self.tags)/encoded_base_url/\(encoded)/chat/completions"
        try await TestGateway.with(
            upstream: upstream.url, allowed: [other.url + (example.hasKey ? "=OTHER_KEY" : "")],
            upstreamKey: "upstream-secret",
            configure: {
                $0.keys = example.keys
                $0.forwardsAuthorization = example.forwards
            }
        ) { (gateway: TestGateway) async throws in
            let named = try await gateway.exchange("POST", path, headers: headers)
            #expect(named.status == 200)
            #expect(other.requests.map { $0.header("authorization") } == [example.authorization])
            let standard = try await gateway.exchange(headers: headers)
            #expect(standard.status == 200)
            #expect(upstream.requests.map { $0.header("authorization") } == ["Bearer upstream-secret"])
        }
        await upstream.stop()
        await other.stop()
    }

    @Test("a redirect passes as it is and is not followed", arguments: [301, 302, 303, 307, 308])
    func redirects(status: Int) async throws {
        try await ScriptedHTTPServer.with({ _ in .text(Script.completion) }) { other in
            let location = other.url + "/chat/completions"
            try await ScriptedHTTPServer.with({ _ in .text("moved", status: status, headers: ["location": location]) })
            { upstream in
                try await TestGateway.with(upstream: upstream.url, allowed: [other.url], upstreamKey: "secret") {
                    gateway in
                    let answer = try await gateway.exchange()
                    #expect(answer.status == status && answer["location"] == location && answer.text == "moved")
                    try await eventually("the record") { gateway.store.calls.map(\.state) == [.failed] }
                    #expect(other.requests.isEmpty && upstream.requests.count == 1)
                }
            }
        }
    }

    @Test("a body above the limit is 413, announced or not, and the answer arrives")
    func tooLarge() async throws {
        try await TestGateway.with(upstream: "http://127.0.0.1:1", configure: { $0.maximumBodyBytes = 1000 }) {
            gateway in
            let large = String(repeating: "x", count: 900_000)
            for request in [
                TestGateway.request(body: large),
                "POST /chat/completions HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\n" + Script.chunk(large)
                    + Script.end,
                "POST /chat/completions HTTP/1.1\r\nhost: x\r\nexpect: 100-continue\r\ncontent-length: 2000\r\n\r\n",
            ] {
                let client = try await RawConnection.connect(port: gateway.port)
                try? await client.send(request)
                try await client.waitFor("--max-body-bytes")
                #expect(client.text.hasPrefix("HTTP/1.1 413"))
                try await client.waitForEnd()
                try? await client.close()
            }
        }
    }

    @Test("100-continue is answered, and chunked bodies are taken")
    func continues() async throws {
        try await ScriptedHTTPServer.with({ _ in .text(Script.completion) }) { upstream in
            try await TestGateway.with(upstream: upstream.url) { gateway in
                let client = try await RawConnection.connect(port: gateway.port)
                try await client.send(
                    "POST \(TestGateway.tags)/chat/completions HTTP/1.1\r\nhost: x\r\nexpect: 100-continue\r\ntransfer-encoding: chunked\r\n\r\n"
                )
                try await client.waitFor("HTTP/1.1 100 Continue\r\n\r\n")
                try await client.send(Script.chunk("{\"messages\":") + Script.chunk("[]}") + Script.end)
                try await client.waitFor("x_unknown")
                #expect(upstream.requests[0].text == "{\"messages\":[]}")
                try await client.close()
            }
        }
    }

    @Test("something that is not HTTP gets a 400")
    func notHTTP() async throws {
        try await TestGateway.with(upstream: "http://127.0.0.1:1") { gateway in
            let client = try await RawConnection.connect(port: gateway.port)
            try await client.send("\u{1}\u{2} nonsense\r\n\r\n")
            try await client.waitForEnd()
            #expect(client.text.hasPrefix("HTTP/1.1 400"))
            try? await client.close()
        }
    }

    @Test("models and embeddings pass, tagged or not, without a record")
    func unrecorded() async throws {
        try await ScriptedHTTPServer.with({ .text("\($0.method) \($0.uri)", headers: ["x-a": "b"]) }) { upstream in
            try await TestGateway.with(upstream: upstream.url + "/v1") { gateway in
                #expect(try await gateway.exchange("GET", "/v1/models?x=1").text == "GET /v1/models?x=1")
                #expect(try await gateway.exchange("GET", "\(TestGateway.tags)/v1/models/a").text == "GET /v1/models/a")
                let embedded = try await gateway.exchange(
                    "POST", "\(TestGateway.tags)/embeddings", headers: ["accept-encoding: gzip"])
                #expect(embedded.text == "POST /v1/embeddings" && embedded["x-a"] == "b")
                #expect(upstream.requests[2].headers["accept-encoding"] == ["gzip"])
                let head = try await gateway.exchange("HEAD", "/models")
                #expect(head.status == 200 && head.body.isEmpty)
                #expect(try await gateway.exchange("POST", "/chat/completions").text == "POST /v1/chat/completions")
                #expect(gateway.store.calls.isEmpty)
            }
        }
    }
}
