// Part of Rollcall. SPDX-License-Identifier: Apache-2.0

import Foundation
import TestSupport
import Testing
import WireJSON

@Suite("TracingGateway: the gateway ends what its environment cannot") struct WatchTests {
    private func item(_ rollout: String, attempt: String? = nil, _ more: JSONObject) -> JSONValue {
        var item: JSONObject = [
            "metadata": [
                "invocation_id": "i", "experiment_id": "e1", "rollout_id": .string(rollout), "run_id": "u",
                "row_id": "w",
            ]
        ]
        if let attempt { item.append("attempt", .string(attempt)) }
        for member in more.members { item.append(member.key.text, member.value) }
        return .object(item)
    }

    /// RUNNING with a lease.
    private func running(
        _ rollout: String, lease: Double, renewal: Bool = false, attempt: String? = nil
    ) -> JSONValue {
        var own: JSONObject = ["lease_seconds": .number(lease)]
        if renewal { own.append("renewal", true) }
        if let attempt { own.append("attempt", .string(attempt)) }
        return [
            "program": "eval_protocol", "message": "running", "tags": [.string("rollout_id:\(rollout)")],
            "status": ["code": 101, "message": "", "details": []], "extras": ["rollcall": .object(own)],
        ]
    }

    private func reason(_ status: JSONValue) -> String? { status["status"]?["details"]?[0]?["reason"]?.string }

    /// Where calls of the rollout's attempt go.
    private func calls(_ rollout: String, attempt: String) -> String {
        "/attempt/\(attempt)/rollout_id/\(rollout)/invocation_id/i/experiment_id/e1/run_id/u/row_id/w/v1"
            + "/chat/completions"
    }

    /// Returns when one request waits for a status. It may wait longer than a test waits for an answer: only what wakes
    /// it brings one.
    private func oneWaits(_ gateway: GatewayFixture) async throws {
        try await eventually("request that waits") {
            try await gateway.get("/metrics").text.contains("\nrollcall_waiting_requests 1\n")
        }
    }

    @Test("a passed deadline wakes who waits, at once, with DEADLINE_EXCEEDED") func deadline() async throws {
        try await GatewayFixture.with { gateway in
            async let woken = gateway.status("r", "&wait_seconds=60")
            try await oneWaits(gateway)
            let answer = try await gateway.post("/v1/rollouts", [item("r", ["deadline_seconds": 0.5])])
            #expect(answer.json["results"]?[0]?["ok"]?.bool == true, "\(answer.text)")
            let status = try await woken
            #expect(status["status"]?["code"]?.int == 4)
            #expect(reason(status) == "DEADLINE_PASSED")
            #expect(status["status"]?["details"]?[0]?["metadata"]?["blame"]?.string == "unknown")
            // A line of the gateway's own, and final though there is no attempt.
            let lines = try await gateway.get("/logs?tags=rollout_id:r").json["entries"]?.array ?? []
            #expect(lines.map { $0["program"]?.string } == ["eval_protocol"])
            #expect(lines[0]["tags"] == ["rollout_id:r", "experiment_id:e1", "run_id:u"])
            #expect(try await gateway.log("r", code: 100)["final"]?.int == 4)
            #expect(try await gateway.status("r")["status"]?["code"]?.int == 4)
        }
    }

    @Test("a lease that is not renewed ends the rollout with UNAVAILABLE, for events too") func lease() async throws {
        try await GatewayFixture.with { gateway in
            let reader = try await EventTests.Reader(gateway, "rollout_id=r")
            #expect(try await reader.wait(for: 1).map(\.name) == ["ready"])
            async let woken = gateway.status("r", "&wait_seconds=60")
            try await oneWaits(gateway)
            let answer = try await gateway.post("/logs", running("r", lease: 0.5, attempt: "a"))
            #expect(answer.json == ["attempt": 1, "current": true, "final": nil])
            let status = try await woken
            #expect(status["status"]?["code"]?.int == 14)
            #expect(reason(status) == "LEASE_EXPIRED")
            #expect(status["status"]?["message"]?.string?.contains("0.5 s") == true)
            let late = try await gateway.log("r", code: 100, attempt: "a")
            #expect(late == ["attempt": 1, "current": true, "final": 14])
            // The superseded line is kept and shown when asked for.
            let all = try await gateway.get("/logs?tags=rollout_id:r&attempt=all").json["entries"]?.array ?? []
            #expect(all.contains { $0["superseded"]?.bool == true })
            // The subscriber is told the end, and not the late line.
            try await gateway.log("r", code: 101, attempt: "b")
            let events = try await reader.wait(for: 4)
            #expect(events[1...].map(\.code) == [101, 14, 101])
            #expect(events[1...].map { $0.data["attempt"]?.string } == ["a", "a", "b"])
            #expect(events[2].data["status"] == status["status"])
        }
    }

    @Test("renewals, lines and calls keep a lease, and a renewal is no line") func renewals() async throws {
        let upstream = try await ScriptedHTTPServer.start { _ in .json(GatewayFixture.completion("hello")) }
        try await GatewayFixture.with(upstream: upstream.url + "/v1") { gateway in
            let kept = ["renewed", "lines", "calls"]
            // Begun last, the lease that nothing renews would be over last.
            for rollout in kept + ["silent"] {
                _ = try await gateway.post("/logs", running(rollout, lease: 2, attempt: "a"))
            }
            try await eventually("end of the lease that nothing renews") {
                let renewal = running("renewed", lease: 2, renewal: true, attempt: "a")
                let answer = try await gateway.post("/logs", renewal)
                #expect(answer.json == ["attempt": 1, "current": true, "final": nil])
                let batch = try await gateway.post("/v1/logs/batch", [renewal])
                #expect(batch.json["results"]?[0]?["ok"]?.bool == true)
                try await gateway.log("lines", attempt: "a")
                let call: JSONValue = ["model": "m", "messages": [["role": "user", "content": "hi"]]]
                #expect(try await gateway.post(calls("calls", attempt: "a"), call).status == 200)
                try await Task.sleep(for: .milliseconds(200))
                return try await gateway.status("silent")["status"]?["code"]?.int == 14
            }
            for rollout in kept {
                #expect(try await gateway.status(rollout)["status"]?["code"]?.int == 101, "\(rollout)")
            }
            let lines = try await gateway.get("/logs?tags=rollout_id:renewed").json["entries"]?.array
            #expect(lines?.count == 1)
        }
        await upstream.stop()
    }

    @Test("a renewal of a lease that the gateway does not know is a RUNNING line") func unknownRenewal() async throws {
        try await GatewayFixture.with { gateway in
            let answer = try await gateway.post("/logs", running("r", lease: 60, renewal: true, attempt: "a"))
            #expect(answer.json == ["attempt": 1, "current": true, "final": nil])
            #expect(try await gateway.status("r")["status"]?["code"]?.int == 101)
            try await gateway.log("r", code: 100, attempt: "a")
            let late = try await gateway.post("/logs", running("r", lease: 60, renewal: true, attempt: "a"))
            #expect(late.json == ["attempt": 1, "current": true, "final": 100])
            #expect(try await gateway.get("/logs?tags=rollout_id:r").json["entries"]?.array?.count == 2)
        }
    }

    @Test("a standstill of the gateway does not use up a lease") func standstill() async throws {
        let folder = try TemporaryFolder()
        let gateway = try RollcallProcess("gateway", ["--port", "0", "--store", "sqlite:\(folder.path)/s.sqlite"])
        defer { gateway.end() }
        _ = try await gateway.ready()
        let line = running("r", lease: 3, attempt: "a").description
        #expect(try await gateway.request("POST", "/logs", body: line).status == 200)
        gateway.signal(SIGSTOP)
        try await Task.sleep(for: .seconds(4))
        gateway.signal(SIGCONT)
        let renewal = running("r", lease: 3, renewal: true, attempt: "a").description
        let answer = try await gateway.request("POST", "/logs", body: renewal)
        #expect(answer.json == ["attempt": 1, "current": true, "final": nil])
        let status = try await gateway.request("GET", "/v1/status?rollout_id=r&wait_seconds=60")
        #expect(status.json["status"]?["code"]?.int == 14)
        gateway.signal(SIGTERM)
        #expect(try await gateway.exitCode() == 0)
    }

    @Test("a used-up budget ends the rollout, and its calls get a typed 429 that is not worth repeating")
    func budget() async throws {
        let upstream = try await ScriptedHTTPServer.start { _ in
            .json(GatewayFixture.completion("hello"))
        }
        try await GatewayFixture.with(upstream: upstream.url + "/v1") { gateway in
            _ = try await gateway.post("/v1/rollouts", [item("r", attempt: "a", ["budget": ["calls": 2]])])
            let path = calls("r", attempt: "a")
            let body: JSONValue = ["model": "m", "messages": [["role": "user", "content": "hi"]]]
            for _ in 0..<2 { #expect(try await gateway.post(path, body).status == 200) }
            async let woken = gateway.status("r", "&wait_seconds=60")
            try await oneWaits(gateway)
            for _ in 0..<2 {
                let refused = try await gateway.post(path, body)
                #expect(refused.status == 429)
                #expect(refused.header("x-should-retry") == "false")
                #expect(refused.json["error"]?["code"]?.string == "budget_exhausted")
                #expect(refused.json["error"]?["param"]?.string == "budget.calls")
                #expect(refused.json["error"]?["type"]?.string == "insufficient_quota")
            }
            let status = try await woken
            #expect(status["status"]?["code"]?.int == 8)
            #expect(reason(status) == "BUDGET_CALLS")
            #expect(status["status"]?["details"]?[0]?["metadata"]?["blame"]?.string == "policy")
            let page = try await gateway.get("/v1/rollouts/r").json
            #expect(page["attempts"]?[0]?["terms"]?["budget"]?["calls"]?.int == 2)
            #expect(page["attempts"]?[0]?["terms"]?["spent"]?["calls"]?.int == 2)
            #expect(page["calls"]?["started"]?.int == 2)
            #expect(upstream.requests.count == 2)
        }
        await upstream.stop()
    }

    @Test(
        "what cannot be registered is named",
        arguments: [
            (#"{"deadline_seconds": 0}"#, "deadline_seconds"), (#"{"deadline_seconds": "5"}"#, "deadline_seconds"),
            (#"{"deadline_seconds": 1e9}"#, "2592000"), (#"{"budget": 5}"#, "budget"),
            (#"{"budget": {"calls": 0}}"#, "budget.calls"), (#"{"budget": {"calls": 1.5}}"#, "budget.calls"),
            (#"{"budget": {"cals": 5}}"#, "budget.cals"), (#"{"capture": "all"}"#, "capture"),
        ])
    func refusals(members: String, word: String) async throws {
        try await GatewayFixture.with { gateway in
            let more = try JSONValue(parsing: Array(members.utf8)).object ?? [:]
            let result = try await gateway.post("/v1/rollouts", [item("r", more)]).json["results"]?[0]
            #expect(result?["code"]?.int == 400)
            #expect(result?["error"]?.string?.contains(word) == true, "\(String(describing: result))")
        }
    }

    @Test("a lease that is no number of seconds is named") func wrongLease() async throws {
        try await GatewayFixture.with { gateway in
            let answer = try await gateway.post("/logs", running("r", lease: -1))
            #expect(answer.status == 400)
            #expect(answer.text.contains("extras.rollcall.lease_seconds"))
        }
    }

    @Test("scores are taken in batches and shown on the rollout's page") func scores() async throws {
        try await GatewayFixture.with { gateway in
            try await gateway.log("r", code: 100, attempt: "a")
            func score(_ more: JSONObject) -> JSONValue {
                var score: JSONObject = ["rollout_id": "r", "scorer": "exact"]
                for member in more.members { score.append(member.key.text, member.value) }
                return .object(score)
            }
            let result: JSONValue = ["score": 0.5, "reason": "half", "metrics": [:]]
            let scores: JSONValue = [
                score(["evaluation_result": result]), score(["evaluation_result": result, "attempt": "a"]),
                score(["evaluation_result": result, "attempt": "b"]), score(["evaluation_result": ["score": "high"]]),
                ["rollout_id": "nobody", "scorer": "exact", "evaluation_result": result],
                ["rollout_id": "r", "evaluation_result": result],
            ]
            let results = try await gateway.post("/v1/scores", scores).json["results"]?.array ?? []
            #expect(results.map { $0["ok"]?.bool } == [true, true, false, false, false, false])
            #expect(results[1]["duplicate"]?.bool == true)
            #expect(results.compactMap { $0["code"]?.int } == [404, 400, 404, 400])
            #expect(results[3]["error"]?.string?.contains("[3].evaluation_result.score") == true)
            #expect(results[5]["error"]?.string?.contains("[5].scorer") == true)
            let page = try await gateway.get("/v1/rollouts/r").json
            #expect(page["scores"]?.array?.count == 1)
            #expect(page["scores"]?[0]?["evaluation_result"] == result)
            #expect(page["scores"]?[0]?["attempt"]?.string == "a")
        }
    }

    @Test("leases, deadlines and budgets hold across a SIGKILL of the gateway") func restart() async throws {
        let folder = FileManager.default.temporaryDirectory.appending(path: "rollcall-\(UUID().uuidString)")
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(at: folder) }
        let upstream = try await ScriptedHTTPServer.start { _ in .json(GatewayFixture.completion("hello")) }
        let arguments = [
            "--port", "0", "--store", "sqlite:\(folder.path)/traces.sqlite", "--upstream", upstream.url + "/v1",
        ]
        let path = "/rollout_id/spent/invocation_id/i/experiment_id/e1/run_id/u/row_id/w/v1/chat/completions"
        let body = #"{"model":"m","messages":[{"role":"user","content":"hi"}]}"#
        let first = try RollcallProcess("gateway", arguments)
        _ = try await first.ready()
        let items: JSONValue = [item("spent", ["budget": ["calls": 1]]), item("dead", ["deadline_seconds": 0.4])]
        _ = try await first.request("POST", "/v1/rollouts", body: items.description)
        #expect(try await first.request("POST", path, body: body).status == 200)
        #expect(try await first.request("POST", "/logs", body: running("leased", lease: 1).description).status == 200)
        first.signal(SIGKILL)
        _ = try await first.exitCode()
        let second = try RollcallProcess("gateway", arguments)
        _ = try await second.ready()
        #expect(try await second.request("POST", path, body: body).status == 429)
        for (rollout, code) in [("spent", 8), ("leased", 14), ("dead", 4)] {
            let status = try await second.request("GET", "/v1/status?rollout_id=\(rollout)&wait_seconds=30")
            #expect(status.json["status"]?["code"]?.int == code, "\(rollout): \(status.text)")
        }
        second.signal(SIGKILL)
        _ = try await second.exitCode()
        // What a budget has ended stays closed.
        let third = try RollcallProcess("gateway", arguments)
        _ = try await third.ready()
        #expect(try await third.request("POST", path, body: body).status == 429)
        third.signal(SIGTERM)
        #expect(try await third.exitCode() == 0)
        await upstream.stop()
    }
}
