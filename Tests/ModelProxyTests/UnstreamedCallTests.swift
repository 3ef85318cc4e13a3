// Part of Rollcall. SPDX-License-Identifier: Apache-2.0

import EvalProtocol
import ModelProxy
import NIOCore
import NIOHTTP1
import TestSupport
import Testing
import TraceStore
import WireJSON

@Suite("ModelProxy: unstreamed calls")
struct UnstreamedCallTests {
    @Test("nothing goes out before the record is committed")
    func recordedBeforeAnswered() async throws {
        let upstream = try await RawUpstream.start()
        try await TestGateway.with(upstream: "http://127.0.0.1:\(upstream.port)/v1") { gateway in
            gateway.store.hold()
            let client = try await RawConnection.connect(port: gateway.port)
            try await client.send(TestGateway.request())
            let served = try await upstream.connection(0, with: #""hi"}]}"#)
            #expect(served.text.hasPrefix("POST /v1/chat/completions HTTP/1.1\r\nhost: 127.0.0.1:\(upstream.port)\r\n"))
            try await served.send(Script.answer(headers: ["x-served-by: u", "keep-alive: timeout=5"]))
            try await eventually("a commit that waits") { gateway.store.isWaiting }
            #expect(client.bytes.isEmpty)
            gateway.store.release()
            try await client.waitFor("x_unknown")
            let answer = try Answer(client.bytes)
            #expect(answer.status == 200 && answer.isWhole)
            #expect(answer.text == Script.completion)
            #expect(answer["x-served-by"] == "u")
            #expect(answer["keep-alive"] == nil)
            let call = try #require(gateway.store.calls.first)
            #expect(answer["x-rollcall-request-id"] == call.requestID)
            #expect(call.state == .recorded && call.answer == Array(Script.completion.utf8))
            #expect(call.metadata.rolloutID == "R" && call.metadata.rowID == "W")
            #expect(call.requestedModel == "m" && call.answeredModel == "m-1" && call.fingerprint == "fp")
            #expect(call.finishReason == "stop" && call.usage == Usage(promptTokens: 3, completionTokens: 2))
            #expect(call.answerStatus == 200 && !call.streamed && call.edits.isEmpty)
            #expect(call.upstream == "http://127.0.0.1:\(upstream.port)/v1/chat/completions")
            // The connections are used again.
            client.clear()
            served.clear()
            try await client.send(TestGateway.request())
            try await served.waitFor("POST")
            try await served.send(Script.answer())
            try await client.waitFor("x_unknown")
            #expect(upstream.connections.count == 1)
            try await client.close()
        }
        try await upstream.stop()
    }

    @Test("the upstream gets the client's bytes, but for the edits that are named")
    func edits() async throws {
        let body =
            #"{ "z":1.0, "model":"fireworks_ai/acc/m", "messages":[ {"role":"assistant","content":null,"tool_calls":null, "weight":1},"#
            + #" {"content":"null","role":"user","x":{"y":null}} ],"a":null, "metadata":{"tags":["t:1"]} }"#
        let expected =
            #"{ "z":1.0, "model":"acc/m", "messages":[ {"role":"assistant","content":null},"#
            + #" {"content":"null","role":"user","x":{"y":null}} ],"a":null, "metadata":{"tags":["t:1"]} }"#
        try await ScriptedHTTPServer.with({ _ in .json(try! JSONValue(parsing: Array(Script.completion.utf8))) }) {
            upstream in
            try await TestGateway.with(upstream: upstream.url) { gateway in
                let answer = try await gateway.exchange(
                    headers: [
                        "authorization: Bearer caller", "accept-encoding: gzip", "x-session-affinity: s",
                        "connection: x-hop",
                        "x-hop: 1", "te: trailers",
                    ], body: body)
                #expect(answer.status == 200)
                let request = try #require(upstream.requests.first)
                #expect(request.text == expected)
                #expect(request.headers.first(name: "authorization") == "Bearer caller")
                #expect(request.headers["accept-encoding"] == ["identity"])
                #expect(request.headers.first(name: "x-session-affinity") == "s")
                #expect(!request.headers.contains(name: "x-hop") && !request.headers.contains(name: "te"))
                #expect(!request.headers.contains(name: "connection"))
                let call = try #require(gateway.store.calls.first)
                #expect(call.edits == ["model-prefix", "message-nulls", "message-fields", "accept-encoding"])
                #expect(call.request.body == Array(body.utf8))
                #expect(call.bodyTags == ["t:1"])
                #expect(call.requestedModel == "fireworks_ai/acc/m")
            }
        }
    }

    @Test("a refusal passes with its headers, and is recorded as failed without being waited for")
    func refusal() async throws {
        let upstream = try await RawUpstream.start()
        try await TestGateway.with(upstream: "http://127.0.0.1:\(upstream.port)") { gateway in
            gateway.store.hold()
            let client = try await RawConnection.connect(port: gateway.port)
            try await client.send(TestGateway.request())
            let served = try await upstream.connection(0, with: "hi")
            let body = #"{"error":{"message":"slow down"}}"#
            try await served.send(
                Script.answer(body, status: "429 Too Many", headers: ["Retry-After: 7", "X-Limit: 1"]))
            try await client.waitFor("slow down")
            let answer = try Answer(client.bytes)
            #expect(
                answer.status == 429 && answer["retry-after"] == "7" && answer["x-limit"] == "1" && answer.text == body)
            gateway.store.release()
            try await eventually("the failed call's record") { gateway.store.calls.count == 1 }
            let call = gateway.store.calls[0]
            #expect(call.state == .failed && call.answerStatus == 429 && call.error?.contains("slow down") == true)
            try await client.close()
        }
        try await upstream.stop()
    }

    @Test("an answer without a usable choice passes and is no trace")
    func unusable() async throws {
        let answers = ["not json", #"{"choices":[]}"#, #"{"choices":[{"text":"x"}]}"#, "[1]"]
        for text in answers {
            try await ScriptedHTTPServer.with({ _ in .text(text) }) { upstream in
                try await TestGateway.with(upstream: upstream.url) { gateway in
                    let answer = try await gateway.exchange()
                    #expect(answer.status == 200 && answer.text == text)
                    try await eventually("the record") { gateway.store.calls.count == 1 }
                    #expect(gateway.store.calls[0].state == .failed)
                }
            }
        }
    }

    @Test("a failed commit withholds the answer, and an unhealthy store lets no call begin")
    func notRecorded() async throws {
        try await ScriptedHTTPServer.with({ _ in .text(Script.completion) }) { upstream in
            try await TestGateway.with(upstream: upstream.url) { gateway in
                gateway.store.fail(with: StoreError(.refused, "no"))
                let answer = try await gateway.exchange()
                #expect(answer.status == 503 && answer["retry-after"] != nil && answer.text.contains("not_recorded"))
                #expect(!answer.text.contains("hello"))
                // The disk is full: the next call is not even made.
                gateway.store.fail(with: StoreError(.unavailable, "disk full"))
                _ = try await gateway.exchange()
                let asked = upstream.requests.count
                let refused = try await gateway.exchange()
                #expect(refused.status == 503 && refused["retry-after"] != nil && refused.text.contains("disk full"))
                #expect(upstream.requests.count == asked)
            }
        }
    }

    @Test("a commit that takes too long counts as failed")
    func slowCommit() async throws {
        try await ScriptedHTTPServer.with({ _ in .text(Script.completion) }) { upstream in
            try await TestGateway.with(upstream: upstream.url, configure: { $0.timeouts.commit = .milliseconds(300) }) {
                gateway in
                gateway.store.hold()
                let answer = try await gateway.exchange()
                #expect(answer.status == 503 && answer.text.contains("not_recorded"))
            }
        }
    }

    @Test("an answer too large to record is 502, and not to be repeated")
    func tooLarge() async throws {
        try await ScriptedHTTPServer.with({ _ in .text(Script.completion) }) { upstream in
            try await TestGateway.with(upstream: upstream.url, configure: { $0.maximumAnswerBytes = 100 }) { gateway in
                let answer = try await gateway.exchange()
                #expect(answer.status == 502 && answer["x-should-retry"] == "false")
                #expect(answer.text.contains("answer_too_large") && answer.text.contains("--max-answer-bytes"))
                try await eventually("the record") { gateway.store.calls.first?.state == .failed }
            }
        }
    }

    @Test("an upstream that cannot be reached, or answers something else, is 502")
    func badUpstream() async throws {
        let closed = try await RawUpstream.start()
        try await closed.stop()
        try await TestGateway.with(upstream: "http://127.0.0.1:\(closed.port)") { gateway in
            let answer = try await gateway.exchange()
            #expect(answer.status == 502 && answer.text.contains("refused"))
            try await eventually("the record") { gateway.store.calls.first?.state == .failed }
        }
        let upstream = try await RawUpstream.start()
        try await TestGateway.with(upstream: "http://127.0.0.1:\(upstream.port)") { gateway in
            for (number, garbage) in ["SSH-2.0-x\r\n", "HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nab"].enumerated() {
                async let answer = gateway.exchange()
                let served = try await upstream.connection(number, with: "hi")
                try await served.send(garbage)
                // The gateway may have closed it first.
                try? await served.close()
                #expect(try await answer.status == 502)
            }
            try await eventually("the records") { gateway.store.calls.map(\.state) == [.failed, .cut] }
        }
        try await upstream.stop()
    }

    @Test("a silent upstream is 504")
    func silence() async throws {
        let upstream = try await RawUpstream.start()
        try await TestGateway.with(
            upstream: "http://127.0.0.1:\(upstream.port)", configure: { $0.timeouts.firstByte = .milliseconds(300) }
        ) { gateway in
            let answer = try await gateway.exchange()
            #expect(answer.status == 504)
            try await upstream.connection(0).waitForEnd()
        }
        try await upstream.stop()
    }

    @Test("a connection that was used before and dies at once is tried once more on a fresh one, and only that")
    func reusedConnectionDies() async throws {
        let upstream = try await RawUpstream.start()
        try await TestGateway.with(upstream: "http://127.0.0.1:\(upstream.port)") { gateway in
            let client = try await RawConnection.connect(port: gateway.port)
            try await client.send(TestGateway.request())
            let first = try await upstream.connection(0, with: "hi")
            try await first.send(Script.answer())
            try await client.waitFor("x_unknown")
            client.clear()
            first.clear()
            try await client.send(TestGateway.request())
            try await first.waitFor("hi")
            try await first.close()
            let second = try await upstream.connection(1, with: "hi")
            try await second.send(Script.answer())
            try await client.waitFor("x_unknown")
            client.clear()
            // The fresh one's own death is not repeated.
            second.clear()
            try await client.send(TestGateway.request())
            try await second.waitFor("hi")
            try await second.close()
            let third = try await upstream.connection(2, with: "hi")
            try await third.close()
            try await client.waitFor("502")
            #expect(upstream.connections.count == 3)
            try await client.close()
        }
        try await upstream.stop()
    }

    @Test("a connection that was used before and dies after a byte of the answer is not tried again")
    func reusedConnectionDiesLater() async throws {
        let upstream = try await RawUpstream.start()
        try await TestGateway.with(upstream: "http://127.0.0.1:\(upstream.port)") { gateway in
            let client = try await RawConnection.connect(port: gateway.port)
            try await client.send(TestGateway.request())
            let served = try await upstream.connection(0, with: "hi")
            try await served.send(Script.answer())
            try await client.waitFor("x_unknown")
            client.clear()
            served.clear()
            try await client.send(TestGateway.request())
            try await served.waitFor("hi")
            try await served.send("HTTP/1.1 200 OK\r\n")
            try await served.close()
            try await client.waitFor("HTTP/1.1 502")
            #expect(upstream.connections.count == 1)
            try await client.close()
        }
        try await upstream.stop()
    }

    @Test("a client that goes cancels the call, which is kept as cut")
    func clientGone() async throws {
        let upstream = try await RawUpstream.start()
        try await TestGateway.with(upstream: "http://127.0.0.1:\(upstream.port)") { gateway in
            let leaves: [@Sendable (RawConnection) async throws -> Void] = [
                { try await $0.close() }, { try await $0.reset() }, { try await $0.shutDownOutput() },
            ]
            for (number, leave) in leaves.enumerated() {
                let client = try await RawConnection.connect(port: gateway.port)
                try await client.send(TestGateway.request())
                let served = try await upstream.connection(number, with: "hi")
                try await leave(client)
                try await served.waitForEnd()
                try await eventually("the record") { gateway.store.calls.count == number + 1 }
                #expect(gateway.store.calls[number].state == .cut)
                if number == 2 { try await client.waitForEnd() }
            }
        }
        try await upstream.stop()
    }

    @Test("a client that ended its side and said so still gets its answer", arguments: ["1.0", "1.1"])
    func halfClose(version: String) async throws {
        let upstream = try await RawUpstream.start()
        try await TestGateway.with(upstream: "http://127.0.0.1:\(upstream.port)") { gateway in
            let client = try await RawConnection.connect(port: gateway.port)
            try await client.send(
                TestGateway.request(headers: version == "1.1" ? ["Connection: Close"] : [], version: version))
            try await client.shutDownOutput()
            let served = try await upstream.connection(0, with: "hi")
            try await served.send(Script.answer())
            try await client.waitForEnd()
            let answer = try Answer(client.bytes)
            #expect(client.text.hasPrefix("HTTP/\(version) 200"))
            #expect(answer.text == Script.completion && answer.isWhole)
        }
        try await upstream.stop()
    }

    @Test("gzip passes as it is, and its record is inflated; what cannot be inflated is 502")
    func compressed() async throws {
        let zipped = try Zipped.gzip(Array(Script.completion.utf8))
        try await ScriptedHTTPServer.with({ request in
            .init(
                headers: [
                    "content-type": "application/json", "content-encoding": request.uri.hasSuffix("br") ? "br" : "gzip",
                ],
                body: .bytes(zipped))
        }) { upstream in
            try await TestGateway.with(upstream: upstream.url) { gateway in
                let answer = try await gateway.exchange()
                #expect(answer.status == 200 && answer["content-encoding"] == "gzip" && answer.body == zipped)
                #expect(gateway.store.calls[0].answer == Array(Script.completion.utf8))
                let refused = try await gateway.exchange("POST", "\(TestGateway.tags)/chat/completions?br")
                #expect(refused.status == 502 && refused.text.contains("identity"))
                try await eventually("the record") { gateway.store.calls.count == 2 }
                #expect(gateway.store.calls[1].state == .failed)
            }
        }
    }

    @Test("pipelined calls and router requests are answered in order")
    func pipelining() async throws {
        try await ScriptedHTTPServer.with({ _ in .text(Script.completion) }) { upstream in
            try await TestGateway.with(upstream: upstream.url) { gateway in
                let client = try await RawConnection.connect(port: gateway.port)
                try await client.send(
                    TestGateway.request() + TestGateway.request("GET", "/health") + TestGateway.request()
                        + TestGateway.request("GET", "/last", headers: ["connection: close"]))
                try await client.waitForEnd()
                let pieces = client.text.split(separator: "HTTP/1.1 ").map { $0.prefix(3) }
                #expect(pieces == ["200", "418", "200", "418"])
                #expect(gateway.store.calls.count == 2)
            }
        }
    }
}
