// Part of Rollcall. SPDX-License-Identifier: Apache-2.0

import TestSupport
import Testing
import TracingGateway
import WireJSON

/// Every route, with what must not be sent to it: the status and the words that help, and the gateway goes on.
@Suite("TracingGateway: bad inputs") struct BadInputTests {
    struct Case: Sendable {
        var method: String
        var path: String
        var body: String?
        var status: Int
        var words: [String]

        init(_ method: String, _ path: String, _ body: String, _ status: Int, _ words: String...) {
            self.method = method
            self.path = path
            self.body = body
            self.status = status
            self.words = words
        }

        init(_ method: String, _ path: String, _ status: Int, _ words: String...) {
            self.method = method
            self.path = path
            self.status = status
            self.words = words
        }
    }

    static let logRoutes = ["/logs", "/v1/logs", "/attempt/a1/logs", "/attempt/a1/v1/logs"]
    static let batchRoutes = ["/v1/logs/batch", "/attempt/a1/v1/logs/batch"]
    static let traceRoutes = ["", "/v1", "/project_id/p", "/v1/project_id/p"].flatMap {
        ["\($0)/traces", "\($0)/traces/pointwise"]
    }

    static let manyItems = "[" + Array(repeating: "{}", count: 1001).joined(separator: ",") + "]"

    static let logBodies: [Case] = logRoutes.flatMap { route -> [Case] in
        [
            Case("POST", route, "", 400, "JSON"),
            Case("POST", route, "{", 400, "JSON", "byte"),
            Case("POST", route, "[]", 400, "object"),
            Case("POST", route, "null", 400, "object"),
            Case("POST", route, #""text""#, 400, "object"),
            Case("POST", route, "\u{FF}{}", 400, "JSON"),
            Case("POST", route, String(repeating: "[", count: 100_000), 400, "JSON"),
            Case("POST", route, "{}", 400, "tags"),
            Case("POST", route, #"{"tags":null}"#, 400, "tags"),
            Case("POST", route, #"{"tags":[]}"#, 400, "tags"),
            Case("POST", route, #"{"tags":"rollout_id:x"}"#, 400, "tags"),
            Case("POST", route, #"{"tags":["rollout_id:x",7]}"#, 400, "tags[1]", "string", "7"),
            Case("POST", route, #"{"tags":["rollout_id:x"],"status":"done"}"#, 400, "status", "object"),
            Case("POST", route, #"{"tags":["rollout_id:x"],"status":[]}"#, 400, "status", "object"),
            Case("POST", route, #"{"tags":["rollout_id:x"],"extras":[]}"#, 400, "extras", "object"),
            Case("POST", route, #"{"tags":["rollout_id:x"],"message":7}"#, 400, "message", "string"),
            Case("POST", route, #"{"tags":["rollout_id:x"],"program":{}}"#, 400, "program", "string"),
        ]
    }

    static let logAttempts: [Case] = [
        Case(
            "POST", "/logs", #"{"tags":["rollout_id:x"],"extras":{"rollcall":{"attempt":"a b"}}}"#, 400,
            "extras.rollcall.attempt"),
        Case("POST", "/attempt/a%20b/logs", #"{"tags":["rollout_id:x"]}"#, 400, "attempt"),
        Case("POST", "/attempt/%FF/logs", #"{"tags":["rollout_id:x"]}"#, 400, "attempt"),
        Case(
            "POST", "/attempt/\(String(repeating: "a", count: 65))/logs", #"{"tags":["rollout_id:x"]}"#, 400, "attempt"),
    ]

    /// Where an array of items is taken.
    static let itemRoutes = batchRoutes + ["/v1/rollouts", "/v1/scores"]

    static let batches: [Case] = itemRoutes.flatMap { route -> [Case] in
        [
            Case("POST", route, "", 400, "JSON"),
            Case("POST", route, "{}", 400, "array"),
            Case("POST", route, "7", 400, "array"),
            Case("POST", route, manyItems, 400, "1001", "1000"),
        ]
    }

    static let searches: [Case] = ["/logs", "/v1/logs"].flatMap { route -> [Case] in
        [
            Case("GET", route, 422, "tags"),
            Case("GET", route + "?tags=", 422, "tags"),
            Case("GET", route + "?tags=rollout_id:x&limit=-1", 422, "limit", "-1"),
            Case("GET", route + "?tags=rollout_id:x&limit=many", 422, "limit", "many"),
            Case("GET", route + "?tags=rollout_id:x&limit=1.5", 422, "limit"),
            Case("GET", route + "?tags=rollout_id:x&limit=", 422, "limit"),
            Case("GET", route + "?tags=rollout_id:x&hours_back=-1", 422, "hours_back"),
            Case("GET", route + "?tags=rollout_id:x&hours_back=nan", 422, "hours_back"),
            Case("GET", route + "?tags=rollout_id:x&hours_back=day", 422, "hours_back"),
            Case("GET", route + "?tags=rollout_id:x&attempt=a%20b", 422, "attempt"),
            Case("GET", route + "?tags=%FF", 422, "tags"),
            Case("GET", route + "?tags=%2", 422, "tags"),
        ]
    }

    static let statuses: [Case] = ["/v1/status", "/status"].flatMap { route -> [Case] in
        [
            Case("GET", route, 422, "rollout_id"),
            Case("GET", route + "?rollout_id=", 422, "rollout_id"),
            Case("GET", route + "?rollout_id=%FF", 422, "rollout_id"),
            Case("GET", route + "?rollout_id=x&wait_seconds=61", 422, "wait_seconds", "60"),
            Case("GET", route + "?rollout_id=x&wait_seconds=-1", 422, "wait_seconds"),
            Case("GET", route + "?rollout_id=x&wait_seconds=soon", 422, "wait_seconds", "soon"),
            Case("GET", route + "?rollout_id=x&wait_seconds=", 422, "wait_seconds"),
            Case("GET", route + "?rollout_id=x&wait_seconds=inf", 422, "wait_seconds"),
            Case("GET", route + "?rollout_id=x&attempt=", 422, "attempt"),
            Case("GET", route + "?rollout_id=x&attempt=a/b", 422, "attempt"),
        ]
    }

    static let traces: [Case] = traceRoutes.flatMap { route -> [Case] in
        [
            Case("GET", route, 422, "tags"),
            Case("GET", route + "?rollout_id=x", 422, "tags"),
            Case("GET", route + "?tags=x&limit=ten", 422, "limit"),
            Case("GET", route + "?tags=x&sample_size=-3", 422, "sample_size"),
            Case("GET", route + "?tags=x&hours_back=x", 422, "hours_back"),
            Case("GET", route + "?tags=x&hours_back=0x10", 422, "hours_back"),
            Case("GET", route + "?tags=x&to_timestamp=2026-01-31T12:00:00%2B02:", 422, "to_timestamp"),
            Case("GET", route + "?tags=x&from_timestamp=yesterday", 422, "from_timestamp"),
            Case("GET", route + "?tags=x&to_timestamp=2026-99-99", 422, "to_timestamp"),
            Case("GET", route + "?tags=x&include_payloads=yes", 422, "include_payloads"),
            Case("GET", route + "?tags=x&include_payloads=", 422, "include_payloads"),
            Case("GET", route + "?tags=x&sleep_between_gets=x", 422, "sleep_between_gets"),
            Case("GET", route + "?tags=x&max_retries=1.5", 422, "max_retries"),
            Case("GET", route + "?tags=x&attempt=%20", 422, "attempt"),
        ]
    }

    static let others: [Case] = [
        Case("GET", "/project_id/%FF/traces?tags=x", 400, "project"),
        Case("GET", "/v1/events", 400, "experiment_id"),
        Case("GET", "/v1/events?experiment=e", 400, "experiment_id"),
        Case("GET", "/v1/events?experiment_id=%FF", 422, "experiment_id"),
        Case("GET", "/v1/events?experiment_id=x&run_id=", 422, "run_id"),
        Case("GET", "/v1/rollouts/nobody", 404, "nobody"),
        Case("GET", "/v1/rollouts/%FF", 400, "rollout id"),
        Case("GET", "/v1/rollouts", 405, "POST"),
        Case("POST", "/v1/rollouts/x", "{}", 405, "GET"),
        Case("DELETE", "/v1/rollouts", 400, "experiment_id"),
        Case("DELETE", "/v1/rollouts?experiment_id=", 422, "experiment_id"),
        Case("DELETE", "/v1/rollouts?experiment_id=x&run_id=", 422, "run_id"),
        Case("DELETE", "/v1/rollouts?experiment_id=x&rollout=y", 422, "rollout"),
        Case("DELETE", "/v1/rollouts?silent_since=yesterday", 422, "silent_since"),
        Case("DELETE", "/v1/rollouts/nobody", 404, "nobody"),
        Case("DELETE", "/v1/rollouts/%FF", 400, "rollout id"),
        Case("POST", "/v1/status?rollout_id=x", "{}", 405, "GET"),
        Case("PUT", "/logs", "{}", 405, "GET", "POST"),
        Case("DELETE", "/v1/traces?tags=x", 405, "GET"),
        Case("POST", "/v1/events", "{}", 405, "GET"),
        Case("POST", "/health", "{}", 405, "GET"),
        Case("POST", "/ready", "{}", 405, "GET"),
        Case("GET", "/", 404, "GET /"),
        Case("GET", "/nowhere", 404, "/nowhere"),
        Case("POST", "/v2/logs", "{}", 404, "/v2/logs"),
        Case("REPORT", "/logs", 405, "REPORT", "GET", "POST"),
    ]

    @Test("each is answered with the status and the words that help")
    func table() async throws {
        let cases = [
            Self.logBodies, Self.logAttempts, Self.batches, Self.searches, Self.statuses, Self.traces, Self.others,
        ].flatMap { $0 }
        try await GatewayFixture.with { gateway in
            for input in cases {
                let response = try await gateway.request(
                    input.method, input.path, body: input.body.map { Self.bytes($0) })
                let name = "\(input.method) \(input.path) \(input.body?.prefix(60) ?? "")"
                #expect(response.status == input.status, "\(name): \(response.text)")
                let message = response.json["error"]?["message"]?.string ?? ""
                for word in input.words { #expect(message.contains(word), "\(name): \(message)") }
                #expect(response.json["detail"]?.string == message, "\(name)")
                #expect(response.json["error"]?["type"]?.string != nil, "\(name)")
                #expect(response.header("x-rollcall-request-id") != nil, "\(name)")
                #expect(response.header("x-should-retry") == "false", "\(name)")
                #expect(response.header("content-type") == "application/json", "\(name)")
            }
            #expect(try await gateway.get("/health").status == 200)
        }
    }

    /// Swift strings hold no broken UTF-8; U+00FF at the beginning stands for the byte.
    private static func bytes(_ text: String) -> [UInt8] {
        text.hasPrefix("\u{FF}") ? [0xFF] + Array(text.dropFirst().utf8) : Array(text.utf8)
    }

    @Test("a body beyond the bound is refused at once, with and without a length, and the connection ends")
    func tooLarge() async throws {
        try await GatewayFixture.with(configure: { $0.routes.logBodyBytes = 1000 }) { gateway in
            for route in Self.logRoutes + Self.itemRoutes {
                let whole = try await gateway.post(route, "[" + String(repeating: " ", count: 2000) + "]")
                #expect(whole.status == 413, "\(route)")
                #expect(whole.text.contains("1000 bytes"))
                let connection = try await RawConnection.open(gateway.port)
                try await connection.send("POST \(route) HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\n")
                let chunk = "400\r\n" + String(repeating: " ", count: 1024) + "\r\n"
                try await connection.send(chunk + chunk)
                let response = try await connection.response()
                #expect(response.status == 413, "\(route)")
                try await connection.waitForEnd()
            }
        }
    }

    @Test("an array of 1,000 items is taken, and each is answered") func fullBatches() async throws {
        let items = JSONValue.array(Array(repeating: [:], count: 1000))
        try await GatewayFixture.with { gateway in
            for route in Self.itemRoutes {
                let answer = try await gateway.post(route, items)
                #expect(answer.status == 200, "\(route): \(answer.text.prefix(200))")
                let codes = answer.json["results"]?.array?.map { $0["code"]?.int }
                #expect(codes == Array(repeating: 400, count: 1000), "\(route)")
            }
        }
    }

    @Test("an item of a batch that is wrong is named, the others are kept") func batchItems() async throws {
        let body = """
            [{"tags":["rollout_id:good"],"id":"1"}, {"tags":[]}, 7, {"tags":["rollout_id:good"],"id":8},
             {"tags":["rollout_id:good"],"status":3,"id":"2"}, {"tags":["rollout_id:good"]}]
            """
        try await GatewayFixture.with { gateway in
            let results = try await gateway.post("/v1/logs/batch", body).json["results"]?.array ?? []
            #expect(results.map { $0["ok"]?.bool } == [true, false, false, false, false, true])
            #expect(results.map { $0["id"]?.string } == ["1", nil, nil, nil, "2", nil])
            #expect(results[1]["code"]?.int == 400)
            for (index, words) in [(1, "[1].tags"), (2, "[2]"), (3, "[3].id"), (4, "[4].status")] {
                #expect(results[index]["error"]?.string?.contains(words) == true, "\(results[index])")
            }
            let entries = try await gateway.get("/logs?tags=rollout_id:good").json["entries"]?.array
            #expect(entries?.count == 2)
        }
    }

    private static let tag = String(repeating: "t", count: 200_000)
    private static let deep = String(repeating: "[", count: 400) + String(repeating: "]", count: 400)

    /// Lines of the rollout s that are strange but right.
    private static let strangeLines = [
        #"{"tags":["rollout_id:s"],"message":"\ud83d","extras":{"\udc00":"\ud83d"}}"#,
        #"{"tags":["rollout_id:s","\#(tag)"],"message":"m"}"#,
        #"{"tags":["rollout_id:s"],"status":{"code":null,"message":null}}"#,
        #"{"tags":["rollout_id:s"],"status":{"code":"100"}}"#,
        #"{"tags":["rollout_id:s"],"status":{"code":12345}}"#,
        #"{"tags":["rollout_id:s"],"status":{"code":1e400}}"#,
        #"{"tags":["rollout_id:s"],"status":null,"extras":null,"message":null,"program":null}"#,
        #"{"tags":["rollout_id:s"],"extras":{"rollcall":"mine"}}"#,
        #"{"tags":["rollout_id:s"],"extras":{"timestamp":"not a time","level":7}}"#,
        #"{"tags":["no colon","rollout_id:","rollout_id:s",""]}"#,
        #"{"tags":["rollout_id:s"],"message":"\u0000"}"#,
        #"{"tags":["rollout_id:s"],"extras":{"deep":\#(deep)}}"#,
    ]

    /// The same of registrations, whose ids have to differ.
    private static let strangeRollouts: [String] = {
        let others = #""invocation_id":"i","experiment_id":"e1","run_id":"u","row_id":"w""#
        return [
            #"{"metadata":{"rollout_id":"\ud83d",\#(others)}}"#,
            #"{"metadata":{"rollout_id":"a\u0000b",\#(others)}}"#,
            #"{"metadata":{"rollout_id":"r1","invocation_id":"","experiment_id":"","run_id":"","row_id":""}}"#,
            #"{"metadata":{"rollout_id":"r2",\#(others),"deep":\#(deep)},"more":1e400}"#,
            #"{"metadata":{"rollout_id":"r3",\#(others)},"attempt":null,"deadline_seconds":null,"budget":null}"#,
            #"{"metadata":{"rollout_id":"r4",\#(others)},"budget":{},"capture":null}"#,
            #"{"metadata":{"rollout_id":"r5",\#(others)},"budget":{"calls":9223372036854775807}}"#,
        ]
    }()

    private static let strangeScores = [
        #"{"rollout_id":"s","scorer":"\ud83d","evaluation_result":{"score":0.5}}"#,
        #"{"rollout_id":"s","scorer":"a\u0000b","evaluation_result":{"score":-0.0,"reason":"\ud83d","\udc00":null}}"#,
        #"{"rollout_id":"s","scorer":"deep","evaluation_result":{"score":1e308,"metrics":\#(deep)}}"#,
        #"{"rollout_id":"s","scorer":"twice","attempt":null,"evaluation_result":{"score":1,"score":2},"more":1e400}"#,
    ]

    /// Requests that a model might refuse; the gateway has to do with none of it.
    private static let strangeCalls = [
        "{}", #"{"":null,"":{}}"#, #"{"messages":"text"}"#, #"{"messages":{}}"#, #"{"messages":null}"#,
        #"{"messages":[]}"#, #"{"messages":[7,null,"x",[],{}]}"#,
        #"{"messages":[{"role":7,"content":{"a":[]}}]}"#,
        #"{"messages":[{"role":"user","role":null,"content":"a","content":null,"tool_calls":[{}]}]}"#,
        #"{"messages":[{"role":"user","content":"a"}],"messages":[{"role":"user","content":"b"}]}"#,
        #"{"messages":[{"role":"user","content":\#(deep)}]}"#,
        #"{"model":7,"stream":"yes","n":1e400,"tools":{},"messages":[{"content":"\ud83d"}]}"#,
        #"{"model":"fireworks_ai/","messages":[{"weight":1e400,"logprobs":{}}]}"#,
        #"{"model":"\ud83d","messages":[{"role":"user","content":"\u0000"}],"metadata":{"tags":[7,"\ud83d",""]}}"#,
        #"{"metadata":{"tags":["\#(tag)"]},"messages":[{"role":"user","content":"hi"}]}"#,
        #"{"n":9223372036854775807}"#, #"{"n":-1}"#,
    ]

    @Test("content that is strange but right is taken, never 5xx, by any route") func strange() async throws {
        let tagged = "/rollout_id/c/invocation_id/i/experiment_id/e1/run_id/u/row_id/w/chat/completions"
        let upstream = try await ScriptedHTTPServer.start { _ in .json(GatewayFixture.completion("hello")) }
        try await GatewayFixture.with(upstream: upstream.url + "/v1") { gateway in
            for body in Self.strangeLines {
                let response = try await gateway.post("/logs", body)
                #expect(response.status == 200, "\(body.prefix(80)): \(response.text)")
            }
            // Each where it belongs, and where it does not.
            let all = Self.strangeLines + Self.strangeRollouts + Self.strangeScores + Self.strangeCalls
            for (route, own) in [
                ("/v1/logs/batch", Self.strangeLines), ("/v1/rollouts", Self.strangeRollouts),
                ("/v1/scores", Self.strangeScores),
            ] {
                for body in all {
                    let response = try await gateway.post(route, "[\(body)]")
                    let result = response.json["results"]?[0]
                    let name = "\(route) \(body.prefix(80)): \(response.text.prefix(300))"
                    #expect(response.status == 200 && result?["ok"]?.bool == own.contains(body), "\(name)")
                    #expect(result?["ok"]?.bool == true || result?["code"]?.int == 400, "\(name)")
                    #expect(try await gateway.post(route, body).status == 400, "\(name)")
                }
            }
            for body in all {
                for path in [tagged, "/v1/chat/completions"] {
                    let response = try await gateway.post(path, body)
                    #expect(response.status == 200, "\(path) \(body.prefix(80)): \(response.text)")
                }
            }
            #expect(upstream.requests.count == 2 * all.count)
            // And what has been taken can be read.
            let entries = try await gateway.get("/logs?tags=rollout_id:s").json["entries"]?.array
            #expect(entries?.count == 2 * Self.strangeLines.count)
            let page = try await gateway.get("/v1/rollouts/s").json
            #expect(page["status"] == .null && page["scores"]?.array?.count == Self.strangeScores.count)
            let traces = try await gateway.get("/v1/traces?tags=rollout_id:c").json["traces"]?.array
            #expect(traces?.count == all.count)
            #expect(try await gateway.get("/v1/rollouts/c/traces").status == 200)
        }
        await upstream.stop()
    }
}
