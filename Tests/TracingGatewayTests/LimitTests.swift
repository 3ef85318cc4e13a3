// Part of Rollcall. SPDX-License-Identifier: Apache-2.0

import Foundation
import TestSupport
import Testing
import WireJSON

/// How many of something there may be: the flag set small, what is beyond it answered, what is within it served.
@Suite("TracingGateway: limits on counts") struct LimitTests {
    @Test(
        "calls in flight, of all, of an account and of a rollout: 429 and a time to come back",
        arguments: [
            ("--max-calls", "too_many_calls", false, false),
            ("--max-calls-per-account", "too_many_account_calls", true, false),
            ("--max-calls-per-rollout", "too_many_rollout_calls", true, true),
        ])
    func calls(flag: String, code: String, othersPass: Bool, siblingsPass: Bool) async throws {
        let folder = try TemporaryFolder()
        let keys = folder.path + "/keys"
        try "key-a a\nkey-b b\n".write(toFile: keys, atomically: true, encoding: .utf8)
        let gate = Gate()
        defer { gate.open() }
        try await LimitedGateway.with(
            [flag, "2", "--api-keys-file", keys],
            answer: { _ in
                await gate.pass()
                return .json(GatewayFixture.completion("hello"))
            }
        ) { gateway in
            let (a, b) = (["authorization: Bearer key-a"], ["authorization: Bearer key-b"])
            async let first = gateway.call("r", headers: a)
            async let second = gateway.call("r", headers: a)
            try await gateway.upstream.waitForRequests(2)
            let beyond = try await gateway.call("r", headers: a)
            #expect(beyond.isError(429, code, flag, "2 calls"), "\(beyond.text)")
            #expect(beyond.json["error"]?["type"]?.string == "rate_limit_error")
            #expect(beyond.header("retry-after") == "1" && beyond.header("x-should-retry") == nil)
            var passed = 2
            // Refused, these are answered at once; let through, they wait for the gate.
            let others = try await gateway.send("r", headers: b)
            let siblings = try await gateway.send("s", headers: a)
            for (connection, passes) in [(others, othersPass), (siblings, siblingsPass)] {
                if passes {
                    passed += 1
                    try await gateway.upstream.waitForRequests(passed)
                } else {
                    #expect(try await connection.response().isError(429, code, flag))
                }
            }
            #expect(gateway.upstream.requests.count == passed)
            gate.open()
            #expect(try await [first.status, second.status] == [200, 200])
            if othersPass { #expect(try await others.response().status == 200) }
            if siblingsPass { #expect(try await siblings.response().status == 200) }
            #expect(try await gateway.call("r", headers: a).status == 200)
        }
    }

    @Test("log lines of a rollout: 429 for plain ones, never for a status, after a restart too")
    func logs() async throws {
        let folder = try TemporaryFolder()
        let flags = ["--max-logs-per-rollout", "3"]
        try await LimitedGateway.with(flags, folder: folder) { gateway in
            let kept = #"[{"id":"i","tags":["rollout_id:r"],"message":"m"}]"#
            func batch(_ body: String) async throws -> JSONValue? {
                try await gateway.process.request("POST", "/v1/logs/batch", body: body).json["results"]
            }
            #expect(try await batch(kept)?[0]?["ok"]?.bool == true)
            for _ in 0..<2 { #expect(try await gateway.log().status == 200) }
            let beyond = try await gateway.log()
            #expect(beyond.isError(429, "too_many_logs", "--max-logs-per-rollout", "3 log lines"), "\(beyond.text)")
            #expect(beyond.header("x-should-retry") == "false" && beyond.header("retry-after") == nil)
            #expect(try await gateway.log(code: 101).status == 200)
            #expect(try await gateway.log("s").status == 200)
            let results = try await batch(
                #"[{"id":"a","tags":["rollout_id:r"]},{"id":"b","tags":["rollout_id:s"]},"#
                    + #"{"id":"c","tags":["rollout_id:r"],"status":{"code":100,"message":"","details":[]}}]"#)
            #expect(results?[0]?["code"]?.int == 429 && results?[0]?["should_retry"]?.bool == false)
            #expect(results?[0]?["error"]?.string?.contains("--max-logs-per-rollout") == true)
            #expect(results?[1]?["ok"]?.bool == true && results?[2]?["ok"]?.bool == true)
            // A repeat brings nothing new.
            #expect(try await batch(kept)?[0]?["duplicate"]?.bool == true)
            let lines = try await gateway.process.request("GET", "/logs?tags=rollout_id:r").json["entries"]?.array
            #expect(lines?.count == 5)
        }
        try await LimitedGateway.with(flags, folder: folder) { gateway async throws in
            #expect(try await gateway.log().isError(429, "too_many_logs"))
            #expect(try await gateway.log("s").status == 200)
            #expect(try await gateway.process.request("DELETE", "/v1/rollouts/r").status == 200)
            #expect(try await gateway.log().status == 200)
        }
    }

    @Test("tags of a line") func tags() async throws {
        try await LimitedGateway.with(["--max-tags", "3"]) { gateway in
            let beyond = try await gateway.log(tags: 3)
            #expect(beyond.status == 400 && beyond.text.contains("--max-tags"), "\(beyond.text)")
            #expect(try await gateway.log(tags: 2).status == 200)
        }
    }

    @Test("lines and traces of an answer") func answers() async throws {
        try await LimitedGateway.with(["--max-logs-per-answer", "2", "--max-traces-per-answer", "1"]) { gateway in
            for _ in 0..<3 { #expect(try await gateway.log().status == 200) }
            for _ in 0..<2 { #expect(try await gateway.call().status == 200) }
            let lines = try await gateway.process.request("GET", "/logs?tags=rollout_id:r&limit=50")
            #expect(lines.json["entries"]?.array?.count == 2)
            let traces = try await gateway.process.request("GET", "/v1/traces?tags=rollout_id:r&limit=50")
            #expect(traces.json["traces"]?.array?.count == 1)
        }
    }

    @Test(
        "records that wait, and their bytes: 503 before anything is spent",
        arguments: [("--max-pending-records", "2", 2, true), ("--max-pending-bytes", "65536", 3, false)])
    func pending(flag: String, limit: String, calls: Int, statusPasses: Bool) async throws {
        let gate = Gate()
        defer { gate.open() }
        try await LimitedGateway.with(
            [flag, limit],
            answer: { _ in
                await gate.pass()
                return .json(GatewayFixture.completion("hello"))
            }
        ) { gateway in
            var held: [RawConnection] = []
            for _ in 0..<calls { held.append(try await gateway.send("r")) }
            try await gateway.upstream.waitForRequests(calls)
            let call = try await gateway.call()
            #expect(call.isError(503, "store_unavailable", flag), "\(call.text)")
            #expect(call.header("retry-after") == "1" && gateway.upstream.requests.count == calls)
            if statusPasses {
                let line = try await gateway.log()
                #expect(line.isError(503, "store_unavailable", flag), "\(line.text)")
                #expect(try await gateway.log(code: 101).status == 200)
            }
            gate.open()
            for connection in held { #expect(try await connection.response().status == 200) }
            #expect(try await gateway.call().status == 200)
            #expect(try await gateway.log().status == 200)
        }
    }

    @Test("renewals of leases are never shed, nor by the lines beside them that are") func renewals() async throws {
        let gate = Gate()
        defer { gate.open() }
        try await LimitedGateway.with(
            ["--max-pending-records", "2"],
            answer: { _ in
                await gate.pass()
                return .json(GatewayFixture.completion("hello"))
            }
        ) { gateway in
            func line(_ own: String) -> String {
                #"{"tags":["rollout_id:l"],"status":{"code":101,"message":"","details":[]},"extras":{"rollcall":\#(own)}}"#
            }
            let running = line(#"{"attempt":"a","lease_seconds":60}"#)
            let renewal = line(#"{"attempt":"a","lease_seconds":60,"renewal":true}"#)
            let told: JSONValue = ["attempt": 1, "current": true, "final": nil]
            #expect(try await gateway.process.request("POST", "/logs", body: running).json == told)
            var held: [RawConnection] = []
            for _ in 0..<2 { held.append(try await gateway.send("r")) }
            try await gateway.upstream.waitForRequests(2)
            #expect(try await gateway.log().status == 503)
            #expect(try await gateway.process.request("POST", "/logs", body: renewal).json == told)
            let plain = #"{"tags":["rollout_id:l"],"message":"m"}"#
            let batch = try await gateway.process.request(
                "POST", "/v1/logs/batch", body: "[\(plain),\(renewal),\(plain)]")
            let results = batch.json["results"]?.array ?? []
            #expect(results.map { $0["ok"]?.bool } == [false, true, false], "\(batch.text)")
            #expect(results.map { $0["code"]?.int } == [503, nil, 503])
            gate.open()
            for connection in held { #expect(try await connection.response().status == 200) }
            let lines = try await gateway.process.request("GET", "/logs?tags=rollout_id:l").json["entries"]?.array
            #expect(lines?.count == 1)
        }
    }

    @Test("connections") func connections() async throws {
        try await LimitedGateway.with(["--max-connections", "2"]) { gateway in
            var held: [RawConnection] = []
            for _ in 0..<2 {
                let connection = try await gateway.get("/health")
                #expect(try await connection.response().status == 200)
                held.append(connection)
            }
            let beyond = try await gateway.get("/health")
            let response = try await beyond.response()
            #expect(response.isError(503, "too_busy", "--max-connections", "2 connections"), "\(response.text)")
            #expect(response.header("retry-after") == "1" && response.header("connection") == "close")
            try await beyond.waitForEnd()
            try await held[0].send("GET /health HTTP/1.1\r\nhost: x\r\n\r\n")
            #expect(try await held[0].response().status == 200)
            for connection in held { await connection.close() }
            try await eventually("free place") { try await gateway.log().status == 200 }
        }
    }

    @Test(
        "waits for a status, and subscribers of events",
        arguments: [
            ("--max-waiting", "/v1/status?rollout_id=r&wait_seconds=60"),
            ("--max-event-streams", "/v1/events?rollout_id=r"),
        ])
    func waits(flag: String, path: String) async throws {
        try await LimitedGateway.with([flag, "1"]) { gateway in
            let first = try await gateway.get(path)
            var beyond = try await gateway.get(path)
            // Which of the two comes first is not known.
            try await eventually("answer to one of them") {
                first.text.contains("HTTP/1.1 503") || beyond.text.contains("HTTP/1.1 503")
            }
            let held = first.text.contains("HTTP/1.1 503") ? beyond : first
            if first.text.contains("HTTP/1.1 503") { beyond = first }
            let response = try await beyond.response()
            #expect(response.isError(503, "too_busy", flag, "1 "), "\(response.text)")
            #expect(response.header("retry-after") == "1")
            #expect(try await gateway.log(code: 100).status == 200)
            try await eventually("status for the one that waits") {
                held.text.contains("FINISHED") || held.text.contains("100")
            }
            await held.close()
            try await eventually("free place") {
                let next = try await gateway.get(path)
                try await eventually("answer") { next.text.contains("HTTP/1.1") }
                await next.close()
                return next.text.contains("HTTP/1.1 200")
            }
        }
    }

    @Test("connections to an upstream, and calls that wait for one") func upstreamConnections() async throws {
        let loops = ProcessInfo.processInfo.activeProcessorCount
        for (flag, value) in [("--upstream-wait-seconds", "0.3"), ("--max-upstream-waiting", "1")] {
            let gate = Gate()
            defer { gate.open() }
            try await LimitedGateway.with(
                ["--max-upstream-connections", "1", flag, value],
                answer: { _ in
                    await gate.pass()
                    return .json(GatewayFixture.completion("hello"))
                }
            ) { gateway in
                // Each event loop has one in flight, at most, and where that is the limit, one that waits.
                let most = flag == "--max-upstream-waiting" ? 2 * loops : loops
                var calls: [RawConnection] = []
                for _ in 0..<(most + 2) { calls.append(try await gateway.send("r")) }
                try await eventually("refusals") { calls.count { $0.text.contains("\r\n\r\n") } >= 2 }
                for connection in calls where connection.text.contains("\r\n\r\n") {
                    let response = try await connection.response()
                    #expect(
                        response.isError(503, "no_upstream_connection", flag, "--max-upstream-connections"),
                        "\(response.text)")
                }
                try await gateway.upstream.waitForRequests(1)
                #expect(gateway.upstream.requests.count <= loops)
                if flag == "--max-upstream-waiting" {
                    try await eventually("calls that wait, in the metrics") {
                        try await gateway.process.request("GET", "/metrics").text.split(separator: "\n")
                            .contains { $0.hasPrefix("rollcall_calls_waiting ") && !$0.hasSuffix(" 0") }
                    }
                }
                gate.open()
                #expect(try await gateway.call().status == 200)
                try await eventually("none that waits") {
                    try await gateway.process.request("GET", "/metrics").text.contains("\nrollcall_calls_waiting 0\n")
                }
            }
        }
    }

    @Test("rollouts that are watched, with an end and without") func watched() async throws {
        for (flag, terms) in [
            ("--max-watched-rollouts", #""deadline_seconds":60"#),
            ("--max-watched-without-deadline", #""budget":{"calls":5}"#),
        ] {
            try await LimitedGateway.with([flag, "2"]) { gateway in
                func register(_ rollout: String) async throws -> JSONValue? {
                    let ids = #""invocation_id":"i","experiment_id":"e","run_id":"u","row_id":"w""#
                    let body = #"[{"metadata":{"rollout_id":"\#(rollout)",\#(ids)},"attempt":"a",\#(terms)}]"#
                    return try await gateway.process.request("POST", "/v1/rollouts", body: body).json["results"]?[0]
                }
                #expect(try await register("a")?["ok"]?.bool == true)
                #expect(try await register("b")?["ok"]?.bool == true)
                let beyond = try await register("c")
                #expect(beyond?["code"]?.int == 503, "\(String(describing: beyond))")
                #expect(beyond?["error"]?.string?.contains(flag) == true, "\(String(describing: beyond))")
                // One that has ended makes room.
                #expect(try await gateway.log("a", code: 100).status == 200)
                #expect(try await register("c")?["ok"]?.bool == true)
            }
        }
    }

    @Test("calls that are shown as a tree") func tree() async throws {
        try await LimitedGateway.with(["--max-calls-per-tree", "2"]) { gateway in
            for number in 1...3 {
                #expect(try await gateway.call().status == 200)
                let tree = try await gateway.process.request("GET", "/v1/rollouts/r/traces")
                guard number > 2 else {
                    #expect(tree.status == 200, "\(tree.text)")
                    continue
                }
                #expect(
                    tree.isError(422, "too_many_calls", "attempt", "2 calls (--max-calls-per-tree)"), "\(tree.text)")
            }
        }
    }

    @Test("rollouts in memory: the others are read") func rollouts() async throws {
        try await LimitedGateway.with(["--max-rollouts-in-memory", "1", "--page-cache-bytes", "1048576"]) { gateway in
            for number in 1...3 { #expect(try await gateway.log("r\(number)", code: 100).status == 200) }
            for number in 1...3 {
                let status = try await gateway.process.request("GET", "/v1/status?rollout_id=r\(number)")
                #expect(status.json["status"]?["code"]?.int == 100)
            }
        }
    }
}

extension LimitedGateway {
    /// Sends a call, and does not wait for its answer.
    func send(_ rollout: String, headers: [String] = []) async throws -> RawConnection {
        let lines =
            ["POST \(Self.path(rollout)) HTTP/1.1", "host: x", "content-length: \(Self.call.utf8.count)"] + headers
        return try await open(lines.joined(separator: "\r\n") + "\r\n\r\n" + Self.call)
    }
}
