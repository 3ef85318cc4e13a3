// Part of Rollcall. SPDX-License-Identifier: Apache-2.0

import EvalProtocol
import ModelProxy
import TestSupport
import Testing
import TracingGateway
import WireJSON

@Suite("TracingGateway: registration and the rollout's page") struct RolloutTests {
    private func item(_ rollout: String, experiment: String = "e", attempt: String? = nil) -> JSONValue {
        var item: JSONObject = [
            "metadata": [
                "invocation_id": "i", "experiment_id": .string(experiment), "rollout_id": .string(rollout),
                "run_id": "u", "row_id": "w/1",
            ]
        ]
        if let attempt { item.append("attempt", .string(attempt)) }
        return .object(item)
    }

    @Test("registering opens the attempt, is idempotent, and other ids conflict") func registering() async throws {
        try await GatewayFixture.with { gateway in
            let first = try await gateway.post("/v1/rollouts", [item("r", attempt: "a"), item("s")])
            #expect(first.status == 200)
            let results = first.json["results"]
            #expect(
                results?[0] == [
                    "id": "r", "ok": true, "duplicate": false, "attempt": 1, "current": true, "final": nil,
                ])
            #expect(results?[1]?["ok"]?.bool == true)
            #expect(results?[1]?["attempt"] == .null)
            let again = try await gateway.post(
                "/v1/rollouts", [item("r", attempt: "a"), item("r", experiment: "other")])
            #expect(again.json["results"]?[0]?["ok"]?.bool == true)
            #expect(again.json["results"]?[1]?["ok"]?.bool == false)
            #expect(again.json["results"]?[1]?["code"]?.int == 409)
            let next = try await gateway.post("/v1/rollouts", [item("r", attempt: "b")])
            #expect(next.json["results"]?[0]?["attempt"]?.int == 2)
            #expect(try await gateway.status("r")["attempt"]?.string == "b")
        }
    }

    @Test("a wrong item is named, the others are registered") func wrongItems() async throws {
        let long = String(repeating: "x", count: 257)
        try await GatewayFixture.with { gateway in
            let response = try await gateway.post(
                "/v1/rollouts",
                [
                    item("good"), 7, ["metadata": ["rollout_id": "r"]], item("bad", attempt: "a b"), item(long),
                    ["metadata": nil],
                ])
            let results = response.json["results"]?.array ?? []
            #expect(results.map { $0["ok"]?.bool } == [true, false, false, false, false, false])
            for (index, words) in [
                (1, "[1]"), (2, "[2].metadata.invocation_id"), (3, "[3].attempt"), (4, "256"), (5, "[5].metadata"),
            ] {
                #expect(results[index]["error"]?.string?.contains(words) == true, "\(results[index])")
                #expect(results[index]["code"]?.int == 400)
            }
        }
    }

    @Test("the page tells metadata, attempts, calls, logs, tokens and times") func page() async throws {
        try await GatewayFixture.with { gateway in
            _ = try await gateway.post("/v1/rollouts", [item("r/1 ü", experiment: "e1", attempt: "a")])
            try await gateway.log("r/1 ü", code: 101, attempt: "a")
            try await gateway.log("r/1 ü", code: 100, attempt: "a")
            try await gateway.record("plain")
            let page = try await gateway.get("/v1/rollouts/r%2F1%20%C3%BC").json
            #expect(page["rollout_id"]?.string == "r/1 ü")
            #expect(page["metadata"]?["experiment_id"]?.string == "e1")
            #expect(page["metadata"]?["row_id"]?.string == "w/1")
            #expect(page["status"]?["code"]?.int == 100)
            #expect(page["attempts"]?[0]?["attempt"]?.string == "a")
            #expect(page["attempts"]?[0]?["number"]?.int == 1)
            #expect(page["attempts"]?[0]?["status"]?["code"]?.int == 100)
            #expect(page["logs"]?.int == 2)
            #expect(page["calls"] == ["started": 0, "recorded": 0, "failed": 0, "cut": 0, "unrecorded": 0])
            #expect(page["first_seen"]?.string != nil)
            let plain = try await gateway.get("/v1/rollouts/plain").json
            #expect(plain["calls"]?["recorded"]?.int == 1)
        }
    }

    @Test("the page counts calls as started, recorded, failed, cut and unrecorded, and only recorded ones are traces")
    func callCounts() async throws {
        try await ScriptedHTTPServer.with({ request in
            guard request.path.hasSuffix("/chat/completions") else { return .json(["data": []]) }
            switch request.json?["model"]?.string {
            case "fails": return .text("no", status: 500)
            case "breaks":
                return .events([#"data: {"choices":[{"index":0,"delta":{"content":"a"}}]}"# + "\n\n"], cut: true)
            default: return .json(GatewayFixture.completion("hello"))
            }
        }) { upstream in
            try await GatewayFixture.with(upstream: upstream.url + "/v1") { gateway in
                let tags = "/rollout_id/r/invocation_id/i/experiment_id/e/run_id/u/row_id/w"
                for (model, status) in [("works", 200), ("fails", 500), ("works", 200)] {
                    let body: JSONValue = ["model": .string(model), "messages": []]
                    #expect(try await gateway.post(tags + "/chat/completions", body).status == status)
                }
                let broken = #"{"model":"breaks","stream":true,"messages":[]}"#
                let connection = try await RawConnection.open(gateway.port)
                try await connection.send(
                    "POST \(tags)/chat/completions HTTP/1.1\r\nhost: x\r\ncontent-length: \(broken.utf8.count)\r\n\r\n"
                        + broken)
                try await connection.waitForEnd()
                #expect(try await gateway.get(tags + "/v1/models").status == 200)
                #expect(try await gateway.post(tags + "/embeddings", ["input": "x"]).status == 200)
                let counts: JSONValue = ["started": 4, "recorded": 2, "failed": 1, "cut": 1, "unrecorded": 2]
                try await eventually("counts") { try await gateway.get("/v1/rollouts/r").json["calls"] == counts }
                let traces = try await gateway.get("/v1/traces?tags=rollout_id:r").json
                #expect(traces["total_traces"]?.int == 2)
            }
        }
    }

    @Test("a rollout is deleted whole, by its id, its experiment, run or invocation") func deleting() async throws {
        try await GatewayFixture.with { gateway in
            for rollout in ["a/1", "b"] {
                try await gateway.record(rollout)
                try await gateway.log(rollout, code: 100)
            }
            let deleted = try await gateway.request("DELETE", "/v1/rollouts/a%2F1")
            #expect(deleted.status == 200)
            #expect(deleted.json == ["rollout_id": "a/1", "deleted": true])
            // Another id each: nothing is taken for b.
            for path in ["/v1/rollouts/b/", "/v1/rollouts//b", "/v1/rollouts/a%2F1", "/v1/rollouts/nobody"] {
                #expect(try await gateway.request("DELETE", path).status == 404)
            }
            #expect(try await gateway.status("a/1")["status"] == .null)
            #expect(try await gateway.get("/logs?tags=rollout_id:a/1").json["entries"]?.array?.isEmpty == true)
            let traces = try await gateway.get("/v1/traces?tags=rollout_id:a/1")
            #expect(traces.status == 404 || traces.json["traces"]?.array?.isEmpty == true)
            #expect(try await gateway.status("b")["status"]?["code"]?.int == 100)

            _ = try await gateway.post("/v1/rollouts", [item("c", experiment: "x"), item("d", experiment: "y")])
            let matching = try await gateway.request("DELETE", "/v1/rollouts?experiment_id=x&experiment_id=z")
            #expect(matching.json == ["deleted": 1])
            #expect(try await gateway.get("/v1/rollouts/c").status == 404)
            for rollout in ["b", "d"] { #expect(try await gateway.get("/v1/rollouts/\(rollout)").status == 200) }
            #expect(try await gateway.request("DELETE", "/v1/rollouts").status == 400)
        }
    }

    @Test("an account deletes its own only") func deletingAcrossAccounts() async throws {
        let keys = try KeyRing(file: "one first\ntwo second", name: "keys")
        try await GatewayFixture.with(keys: keys) { gateway in
            let (one, two) = (["authorization: Bearer one"], ["authorization: Bearer two"])
            try await gateway.log("r", code: 100, headers: one)
            #expect(try await gateway.request("DELETE", "/v1/rollouts/r", headers: two).status == 404)
            let matching = try await gateway.request("DELETE", "/v1/rollouts?rollout_id=r", headers: two)
            #expect(matching.json == ["deleted": 0])
            #expect(try await gateway.request("DELETE", "/v1/rollouts/r").status == 401)
            #expect(try await gateway.request("DELETE", "/v1/rollouts/r", headers: one).status == 200)
        }
    }

    @Test("with a retention, what nothing has come of goes by itself") func retention() async throws {
        try await GatewayFixture.with(configure: { $0.retention = .seconds(2) }) { gateway in
            try await gateway.log("idle", code: 100)
            try await gateway.log("busy", code: 101)
            try await eventually("deletion") {
                try await gateway.log("busy", message: "still here")
                return try await gateway.get("/v1/rollouts/idle").status == 404
            }
            #expect(try await gateway.get("/v1/rollouts/busy").status == 200)
        }
    }
}
