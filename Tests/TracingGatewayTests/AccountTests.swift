// Part of Rollcall. SPDX-License-Identifier: Apache-2.0

import EvalProtocol
import ModelProxy
import TestSupport
import Testing
import TraceStore
import WireJSON

@Suite("TracingGateway: keys and accounts") struct AccountTests {
    private static let one = "authorization: Bearer key-1"
    private static let two = "authorization: Bearer key-2"

    private static func keys() throws -> KeyRing { try KeyRing(file: "key-1 one\nkey-2 two\n", name: "keys") }

    @Test("without a key every route but health and ready is 401 and names the variables") func refused() async throws {
        try await GatewayFixture.with(keys: Self.keys()) { gateway in
            for (method, path) in [
                ("POST", "/logs"), ("POST", "/v1/logs/batch"), ("GET", "/logs?tags=x"),
                ("GET", "/v1/status?rollout_id=x"),
                ("GET", "/v1/traces?tags=x"), ("GET", "/v1/events?run_id=x"), ("POST", "/v1/rollouts"),
                ("GET", "/v1/rollouts/x"),
            ] {
                for headers in [
                    [], ["authorization: Bearer None"], ["authorization: Bearer key-11"],
                    ["authorization: Basic key-1"],
                ] {
                    let response = try await gateway.request(
                        method, path, headers: headers, body: method == "POST" ? [] : nil)
                    #expect(response.status == 401, "\(path)")
                    #expect(response.json["error"]?["code"]?.string == "invalid_api_key")
                    for word in ["FIREWORKS_API_KEY", "EP_REMOTE_API_KEY", "ROLLCALL_API_KEYS"] {
                        #expect(response.text.contains(word))
                    }
                    #expect(!response.text.contains("key-1"))
                }
            }
            #expect(try await gateway.get("/health").json == ["status": "healthy", "service": "rollcall-gateway"])
            #expect(try await gateway.get("/ready").status == 200)
        }
    }

    @Test("without keys any bearer passes, None too") func open() async throws {
        try await GatewayFixture.with { gateway in
            for headers in [[], ["authorization: Bearer None"], ["authorization: nonsense"]] {
                let response = try await gateway.get("/v1/status?rollout_id=x", headers: headers)
                #expect(response.status == 200)
            }
        }
    }

    @Test("an account never sees another's logs, status, traces, events or pages") func apart() async throws {
        try await GatewayFixture.with(keys: Self.keys()) { gateway in
            let reader = try await EventTests.Reader(gateway, "experiment_id=e1", headers: [Self.two])
            #expect(try await reader.wait(for: 1).map(\.name) == ["ready"])
            try await gateway.log("r", code: 100, message: "of one", headers: [Self.one])
            try await gateway.record("r", account: Account("one"))
            func sees(_ key: String) async throws -> [Bool] {
                [
                    try await gateway.get("/logs?tags=rollout_id:r", headers: [key]).json["entries"]?.array?.isEmpty
                        == false,
                    try await gateway.get("/v1/status?rollout_id=r", headers: [key]).json["status"] != .null,
                    try await gateway.get("/v1/traces?tags=rollout_id:r", headers: [key]).json["traces"]?.array?.isEmpty
                        == false,
                    try await gateway.get("/v1/rollouts/r", headers: [key]).status == 200,
                ]
            }
            #expect(try await sees(Self.one) == [true, true, true, true])
            #expect(try await sees(Self.two) == [false, false, false, false])
            try await gateway.log("r", code: 101, message: "of two", headers: [Self.two])
            #expect(try await reader.wait(for: 2)[1].code == 101)
            #expect(
                try await gateway.get("/v1/status?rollout_id=r", headers: [Self.one]).json["status"]?["code"]?.int
                    == 100)
        }
    }
}
