// Part of Rollcall. SPDX-License-Identifier: Apache-2.0

import EvalProtocol
import RolloutTracing
import Synchronization
import TestSupport
import Testing
import WireJSON

@Suite("RolloutTracing: reading back") struct TracingClientTests {
    @Test("the hosted gateway's status: the code alone, the rest from the logs")
    func hostedStatus() async throws {
        try await ScriptedHTTPServer.with({ request in
            switch request.path {
            case "/status": .json(["rollout_id": "r x", "status": ["code": 5], "extras": nil])
            case "/v1/logs":
                .json([
                    "entries": [
                        ["message": "later", "tags": nil, "status": nil],
                        [
                            "message": "m", "status": ["code": 5, "message": "gone", "details": [["a": 1]]],
                            "extras": ["k": 2],
                        ],
                        ["message": "older", "status": ["code": 101, "message": "", "details": nil]],
                    ]
                ])
            default: .text("", status: 404)
            }
        }) { server in
            let client = TracingClient(gatewayURL: server.url + "/", apiKey: "k")
            for _ in 0..<2 {
                let status = try await client.status(of: "r x", wait: .seconds(2.25))
                #expect(status.status == Status(code: .notFound, message: "gone", details: [["a": 1]]))
                #expect(status.extras == ["k": 2])
                #expect(!status.knowsAttempts)
            }
            #expect(
                server.requests.map(\.path) == ["/v1/status", "/status", "/logs", "/v1/logs", "/status", "/v1/logs"])
            #expect(server.requests[0].query("rollout_id") == ["r x"])
            #expect(server.requests[0].query("wait_seconds") == ["2.3"])
            #expect(server.requests[0].header("authorization") == "Bearer k")
        }
    }

    @Test("our gateway's status needs no second question")
    func status() async throws {
        try await ScriptedHTTPServer.with({ request in
            request.query("rollout_id") == ["none"]
                ? .json(["rollout_id": "none", "status": nil, "extras": nil, "attempt": nil, "current": nil])
                : .json([
                    "rollout_id": "r", "status": ["code": 100, "message": "m", "details": []], "extras": ["a": 1],
                    "attempt": "a1", "current": true,
                ])
        }) { server in
            let client = TracingClient(gatewayURL: server.url)
            let status = try await client.status(of: "r", attempt: AttemptID("a1"))
            #expect(status.status == Status(code: .finished, message: "m"))
            #expect(status.attempt == AttemptID("a1") && status.current == true && status.knowsAttempts)
            let none = try await client.status(of: "none")
            #expect(none.status == nil && none.knowsAttempts)
            #expect(server.requests.count == 2)
        }
    }

    @Test("errors say what was asked and what to do")
    func errors() async throws {
        try await ScriptedHTTPServer.with({ request in
            switch request.path {
            case "/v1/status": .json(["detail": "unknown key"], status: 401)
            case "/logs": .text("no JSON")
            default: .text("", status: 404)
            }
        }) { server in
            let client = TracingClient(gatewayURL: server.url)
            let refused = await #expect(throws: TracingClientError.self) { _ = try await client.status(of: "r") }
            #expect(refused?.code == 401)
            #expect(refused?.description.contains("FIREWORKS_API_KEY") == true)
            let unreadable = await #expect(throws: TracingClientError.self) { _ = try await client.logs(of: "r") }
            #expect(unreadable?.kind == .unreadable)
            let traces = try await client.traces(of: "r")
            let page = try await client.rollout("r")
            let registration = try await client.register([context().metadata])
            #expect(traces.isEmpty && page == nil && registration == nil)
        }
        let nobody = TracingClient(gatewayURL: "http://127.0.0.1:9")
        let error = await #expect(throws: TracingClientError.self) { _ = try await nobody.status(of: "r") }
        #expect(error?.kind == .unreachable)
    }

    @Test("traces with payloads, compressed and not")
    func traces() async throws {
        let logprobs = LogprobsPayload(tokens: [.init(id: 3, logprob: -0.5)])
        try await ScriptedHTTPServer.with({ _ in
            .json([
                "project_id": "p", "total_traces": 1,
                "traces": [
                    [
                        "id": "t1", "tags": ["rollout_id:r"],
                        "input": ["messages": [["role": "user", "content": "q"]]],
                        "output": ["role": "assistant", "content": "a"],
                        "payloads": [
                            "logprobs": TracePayload(version: LogprobsPayload.version, content: logprobs.encode()).json,
                            // A thousand times 7, as zstd compresses it.
                            "prompt_token_ids": ["manifest": [:], "data": "KLUv/WC4CmUAAChbNywgXQEAsNN3RA=="],
                            "router_replay": ["manifest": [:], "data": "KLUv/WC4CmUAAChbNyw="],
                        ],
                    ]
                ],
            ])
        }) { server in
            let client = TracingClient(gatewayURL: server.url)
            let traces = try await client.traces(of: "r", includePayloads: true, attempt: AttemptID("a1"))
            #expect(traces.count == 1)
            #expect(traces[0].messages.count == 2)
            let payloads = traces[0].decodedPayloads()
            #expect(payloads.logprobs == logprobs)
            #expect(payloads.promptTokenIDs?.tokenIDs == Array(repeating: 7, count: 1_000))
            #expect(payloads.routerReplay == nil)
            #expect(Array(payloads.errors.keys) == ["router_replay"])
            let request = server.requests[0]
            #expect(request.path == "/v1/traces/pointwise")
            #expect(request.query("tags") == ["rollout_id:r"] && request.query("include_payloads") == ["true"])
            #expect(request.query("attempt") == ["a1"])
        }
    }

    @Test("registration")
    func registration() async throws {
        try await ScriptedHTTPServer.with({ _ in
            .json([
                "results": [
                    ["id": "r1", "ok": true, "duplicate": false, "attempt": 1, "current": true, "final": nil],
                    ["id": "r2", "ok": false, "code": 409, "error": "other ids"],
                ]
            ])
        }) { server in
            let client = TracingClient(gatewayURL: server.url)
            var first = context("r1").metadata
            first.attempt = AttemptID("a1")
            let results = try await client.register([first, context("r2").metadata])
            #expect(
                results == [
                    .registered(LogAnswer(knowsAttempts: true, attemptNumber: 1, current: true)),
                    .refused(code: 409, reason: "other ids"),
                ])
            let body = server.requests[0].json
            #expect(body?[0]?["attempt"] == "a1" && body?[0]?["metadata"]?["attempt"] == nil)
            #expect(body?[1]?["metadata"]?["rollout_id"] == "r2")
        }
    }

    @Test("events: current ones, live ones, resumed where the connection broke, and again after a reset")
    func events() async throws {
        @Sendable func event(_ rollout: String, _ code: Int, id: Int?) -> String {
            let id = id.map { "id: \($0)\n" } ?? ""
            return
                "event: status\n\(id)data: {\"rollout_id\":\"\(rollout)\",\"attempt\":\"a1\","
                + "\"status\":{\"code\":\(code),\"message\":\"\",\"details\":[]},\"extras\":null}\n\n"
        }
        let resumptions = Mutex(0)
        // Cut once the client has read what came: a break may overtake what stands before it.
        let (first, sender) = AsyncStream.makeStream(of: [UInt8].self)
        let beginning = [
            event("a", 101, id: nil), "event: ready\nid: 10\ndata: {}\n\n", ": still here\n\n",
            event("a", 100, id: 11), "event: status\nid: 12\nda",
        ]
        for block in beginning { sender.yield(Array(block.utf8)) }
        try await ScriptedHTTPServer.with({ request in
            switch request.header("last-event-id") {
            case nil: return .events(first, cut: true)
            case "11":
                let number = resumptions.withLock { count in
                    count += 1
                    return count
                }
                guard number > 1 else { return .text("restarting", status: 503) }
                return .events([
                    "event: reset\ndata: {}\n\n", event("a", 100, id: nil), "event: ready\nid: 3\ndata: {}\n\n",
                ])
            default: return .events([event("b", 14, id: 4)] + Array(repeating: ": still here\n\n", count: 3))
            }
        }) { server in
            let client = TracingClient(gatewayURL: server.url)
            var seen: [StatusEvent] = []
            for try await event in client.events(EventFilter(experimentIDs: ["e 1", "e2"], runIDs: ["u"])) {
                seen.append(event)
                if seen.count == 2 { sender.finish() }
                if seen.count == 4 { break }
            }
            #expect(seen.map(\.rolloutID) == ["a", "a", "a", "b"])
            #expect(seen.map(\.status.code) == [.running, .finished, .finished, .unavailable])
            #expect(seen.map(\.id) == [nil, "11", nil, "4"])
            #expect(seen[0].attempt == AttemptID("a1"))
            #expect(server.requests.map { $0.header("last-event-id") } == [nil, "11", "11", "3"])
            #expect(server.requests[0].query("experiment_id") == ["e 1", "e2"])
        }
    }

    @Test("a gateway without events says so")
    func noEvents() async throws {
        try await ScriptedHTTPServer.with({ _ in .text("", status: 404) }) { server in
            let client = TracingClient(gatewayURL: server.url)
            let error = await #expect(throws: TracingClientError.self) {
                for try await _ in client.events(EventFilter(rolloutIDs: ["r"])) {}
            }
            #expect(error?.kind == .unsupported)
        }
    }
}
