// Part of Rollcall. SPDX-License-Identifier: Apache-2.0

import EvalProtocol
import ModelProxy
import RolloutTracing
import TestSupport
import Testing
import TraceStore
import TracingGateway
import WireJSON

@Suite("TracingGateway: a rollout's tree of calls") struct ConversationTests {
    private static func message(_ role: String, _ text: String) -> JSONValue {
        ["role": .string(role), "content": .string(text)]
    }

    private static let system = message("system", "you are a helpful assistant")
    private static let question = message("user", "what is 6 times 7?")
    private static let answer = message("assistant", "42")
    private static let more = message("user", "and 7 times 8?")

    private func lines(_ gateway: GatewayFixture, _ path: String) async throws -> [JSONValue] {
        let response = try await gateway.get("/v1/rollouts/\(path)")
        #expect(response.status == 200, "\(response.text)")
        #expect(response.header("content-type") == "application/x-ndjson")
        return try response.text.split(separator: "\n").map { try JSONValue(parsing: Array($0.utf8)) }
    }

    /// A conversation that goes on, is asked again in other words, and slides; and another one.
    private func record(_ gateway: GatewayFixture, _ rollout: String) async throws -> [String] {
        let other = Self.message("user", "then 8 times 9?")
        let histories: [[JSONValue]] = [
            [Self.system, Self.question],
            [Self.system, Self.question, Self.answer, Self.more],
            [Self.system, Self.question, Self.answer, other],
            [Self.system, Self.answer, other, Self.message("assistant", "72"), Self.message("user", "sure?")],
            [Self.system, Self.message("user", "something else altogether")],
        ]
        var ids: [String] = []
        for history in histories {
            ids.append(
                String(
                    try await gateway.record(
                        rollout, messages: .array(history),
                        more: ["tools": [["name": "calculator"]], "api_key": "sk-x"])))
        }
        return ids
    }

    @Test("each call tells what it continues, what it repeats and what it adds") func tree() async throws {
        try await GatewayFixture.with { gateway in
            let ids = try await record(gateway, "r")
            let calls = try await lines(gateway, "r/traces")
            #expect(calls.map { $0["id"]?.string } == ids)
            #expect(calls.map { $0["parent"]?.string } == [nil, ids[0], ids[0], ids[2], nil])
            #expect(calls.map { $0["depth"]?.int } == [0, 1, 1, 2, 0])
            #expect(calls.map { $0["branch"]?.int } == [1, 1, 2, 2, 3])
            #expect(calls.map { $0["messages"]?.int } == [2, 4, 4, 5, 2])
            #expect(calls.map { $0["repeated"]?.int } == [0, 2, 2, 3, 0])
            #expect(calls[0]["history"] == [["new": 2]])
            #expect(calls[1]["history"] == [["from": 0, "count": 2], ["new": 2]])
            #expect(
                calls[3]["history"] == [["from": 0, "count": 1], ["from": 2, "count": 2], ["new": 2]])
            #expect(calls[1]["new_messages"] == [Self.answer, Self.more])
            #expect(calls[0]["tools"] == [["name": "calculator"]])
            #expect(calls[1]["tools"] == .null && calls[1]["repeats_tools"]?.bool == true)
            #expect(calls[0]["answer"] == ["role": "assistant", "content": "hello"])
            #expect(calls[0]["finish_reason"]?.string == "stop")
            #expect(calls[0]["request"] == nil)
        }
    }

    @Test("whole requests come if asked for, without the caller's key") func requests() async throws {
        try await GatewayFixture.with { gateway in
            _ = try await record(gateway, "r")
            let text = try await gateway.get("/v1/rollouts/r/traces?requests=full").text
            #expect(!text.contains("sk-x"))
            let calls = try await lines(gateway, "r/traces?requests=full")
            let request = try JSONValue(parsing: Array((calls[1]["request"]?.string ?? "").utf8))
            #expect(request["messages"] == [Self.system, Self.question, Self.answer, Self.more])
        }
    }

    @Test("a branch stands with its parent, whenever it was made") func order() async throws {
        try await GatewayFixture.with { gateway in
            let first = try await gateway.record("r", messages: [Self.system, Self.question])
            let second = try await gateway.record("r", messages: [Self.message("user", "another conversation")])
            let third = try await gateway.record(
                "r", messages: [Self.system, Self.question, Self.answer, Self.more])
            let calls = try await lines(gateway, "r/traces")
            #expect(calls.map { $0["id"]?.string } == [first, third, second].map(String.init))
            #expect(calls.map { $0["branch"]?.int } == [1, 1, 2])
            // A reader of a rollout that still runs asks for what has come since.
            let later = try await lines(gateway, "r/traces?after=\(second)")
            #expect(later.map { $0["id"]?.string } == [String(third)])
            #expect(later[0]["parent"]?.string == String(first))
            #expect(later[0]["depth"]?.int == 1)
            let page = try await lines(gateway, "r/traces?limit=2")
            #expect(page.map { $0["id"]?.string } == [first, second].map(String.init))
            #expect(try await lines(gateway, "r/traces?limit=0") == [])
        }
    }

    @Test("the newest attempt's calls, another's, or all") func attempts() async throws {
        try await GatewayFixture.with { gateway in
            let old = try await gateway.record("r", messages: [Self.system, Self.question], attempt: "a")
            let new = try await gateway.record(
                "r", messages: [Self.system, Self.question, Self.answer, Self.more], attempt: "b")
            @Sendable func found(_ query: String) async throws -> [String?] {
                try await lines(gateway, "r/traces\(query)").map { $0["id"]?.string }
            }
            #expect(try await found("") == [String(new)])
            #expect(try await found("?attempt=a") == [String(old)])
            #expect(try await found("?attempt=all") == [String(old), String(new)])
            #expect(try await found("?attempt=none") == [])
            // A parent of another attempt is not in this tree, so nothing is left out as repeated.
            let alone = try await lines(gateway, "r/traces")[0]
            #expect(alone["parent"] == .null && alone["messages"]?.int == 4)
            #expect(alone["new_messages"]?.array?.count == 4)
            #expect(alone["attempt"]?.string == "b" && alone["attempt_number"]?.int == 2)
        }
    }

    @Test("an id that ends in /traces is reached with its slash escaped") func ids() async throws {
        try await GatewayFixture.with { gateway in
            try await gateway.record("a")
            try await gateway.record("a/traces")
            try await gateway.record("b/ü c")
            #expect(try await lines(gateway, "a/traces").count == 1)
            #expect(try await gateway.get("/v1/rollouts/a%2Ftraces").json["rollout_id"]?.string == "a/traces")
            #expect(try await lines(gateway, "a%2Ftraces/traces").count == 1)
            #expect(try await lines(gateway, "a/traces/traces").count == 1)
            #expect(try await lines(gateway, "b/%C3%BC%20c/traces").count == 1)
            let refused = try await gateway.request("DELETE", "/v1/rollouts/a/traces")
            #expect(refused.status == 405)
            #expect(refused.json["detail"]?.string?.contains("/v1/rollouts/a;") == true)
            #expect(try await gateway.request("DELETE", "/v1/rollouts/a%2Ftraces").status == 200)
            #expect(try await lines(gateway, "a/traces").count == 1)
        }
    }

    @Test("what is unknown, foreign or wrong is said") func refusals() async throws {
        let keys = try KeyRing(file: "one first\ntwo second", name: "keys")
        try await GatewayFixture.with(keys: keys) { gateway in
            let (one, two) = (["authorization: Bearer one"], ["authorization: Bearer two"])
            try await gateway.record("r", account: Account("first"))
            #expect(try await gateway.get("/v1/rollouts/r/traces", headers: one).status == 200)
            for path in ["r/traces", "nobody/traces"] {
                let response = try await gateway.get("/v1/rollouts/\(path)", headers: two)
                #expect(response.status == 404)
                #expect(response.json["error"]?["code"]?.string == "unknown_rollout")
            }
            #expect(try await gateway.get("/v1/rollouts/r/traces").status == 401)
            for (query, name) in [
                ("requests=some", "requests"), ("attempt=a%20b", "attempt"), ("after=x", "after"),
                ("limit=-1", "limit"), ("atempt=all", "atempt"),
            ] {
                let response = try await gateway.get("/v1/rollouts/r/traces?\(query)", headers: one)
                #expect(response.status == 422)
                #expect(response.json["error"]?["param"]?.string == name)
            }
            #expect(try await gateway.get("/v1/rollouts/%FF/traces", headers: one).status == 400)
        }
    }

    @Test("the client puts every request's messages together again") func client() async throws {
        try await GatewayFixture.with { gateway in
            let ids = try await record(gateway, "r/1")
            let client = TracingClient(gatewayURL: "http://127.0.0.1:\(gateway.port)")
            let conversation = try #require(try await client.conversation(of: "r/1", includeRequests: true))
            #expect(conversation.calls.map(\.id) == ids)
            #expect(conversation.roots.map(\.id) == [ids[0], ids[4]])
            #expect(conversation.children(of: conversation.calls[0]).map(\.id) == [ids[1], ids[2]])
            for call in conversation.calls {
                let request = try JSONValue(parsing: Array((call.request ?? "").utf8))
                #expect(.array(conversation.messages(of: call)) == request["messages"])
                #expect(call.answer == .assistant("hello"))
            }
            #expect(try await client.conversation(of: "nobody") == nil)
        }
    }
}
