// Part of Rollcall. SPDX-License-Identifier: Apache-2.0

import CoreMetrics
import EvalProtocol
import ModelProxy
import PrometheusMetrics
import TestSupport
import Testing
import WireJSON

@Suite("PrometheusMetrics: the text") struct MetricsTextTests {
    @Test("counters, gauges and histograms, each family once, with help and type") func text() {
        let registry = PrometheusRegistry()
        registry.describe("a_total", "Back\\slash and\nline.")
        for _ in 0..<2 {
            Counter(label: "a_total", dimensions: [("x", "q\"uo\\te\n")], factory: registry).increment(by: 2)
        }
        Counter(label: "a_total", dimensions: [], factory: registry).increment()
        Meter(label: "b.c-d", factory: registry).set(1.5)
        Meter(label: "b.c-d", factory: registry).decrement(by: 0.5)
        let timer = Timer(label: "t_seconds", dimensions: [("k", "v")], factory: registry)
        timer.recordNanoseconds(1_000_000)
        timer.recordNanoseconds(2_000_000)
        timer.recordNanoseconds(3_600_000_000_000)
        let lines = registry.text().split(separator: "\n").map(String.init)
        #expect(
            Array(lines.prefix(6)) == [
                #"# HELP a_total Back\\slash and\nline."#, "# TYPE a_total counter", "a_total 1",
                #"a_total{x="q\"uo\\te\n"} 4"#, "# TYPE b_c_d gauge", "b_c_d 1",
            ])
        #expect(lines.contains("# TYPE t_seconds histogram"))
        #expect(lines.contains(#"t_seconds_bucket{k="v",le="0.0005"} 0"#))
        #expect(lines.contains(#"t_seconds_bucket{k="v",le="0.001"} 1"#))
        #expect(lines.contains(#"t_seconds_bucket{k="v",le="0.0025"} 2"#))
        #expect(lines.contains(#"t_seconds_bucket{k="v",le="600"} 2"#))
        #expect(lines.contains(#"t_seconds_bucket{k="v",le="+Inf"} 3"#))
        #expect(lines.contains(#"t_seconds_count{k="v"} 3"#))
        #expect(lines.contains(#"t_seconds_sum{k="v"} 3600.003"#))
    }

    @Test("what is of another kind, or too much, is seen by nobody and harms nobody") func bounds() {
        let registry = PrometheusRegistry()
        Counter(label: "x", factory: registry).increment()
        Meter(label: "x", factory: registry).set(7)
        for number in 0..<5000 {
            Counter(label: "many", dimensions: [("n", "\(number)")], factory: registry).increment()
        }
        let lines = registry.text().split(separator: "\n")
        #expect(lines.contains("x 1"))
        #expect(!lines.contains("x 7"))
        #expect(lines.count < 2100)
    }
}

@Suite("TracingGateway: metrics") struct MetricsTests {
    private func value(_ gateway: GatewayFixture, _ series: String) async throws -> Double? {
        value(of: series, in: try await gateway.get("/metrics").text)
    }

    private func value(of series: String, in text: String) -> Double? {
        text.split(separator: "\n").first { $0.hasPrefix(series + " ") }
            .flatMap { Double($0.dropFirst(series.count + 1)) }
    }

    @Test("they tell of calls, tokens, lines, statuses, commits, problems, sizes and late loops") func values()
        async throws
    {
        var completion = GatewayFixture.completion("hello").object ?? [:]
        completion.append("usage", ["prompt_tokens": 7, "completion_tokens": 3, "total_tokens": 10])
        let answer = JSONValue.object(completion)
        try await ScriptedHTTPServer.with({ request in
            guard request.path.contains("chat/completions") else { return .text("no", status: 404) }
            if request.json?["model"]?.string == "broken" { return .text("no", status: 500) }
            return .json(answer)
        }) { upstream in
            try await GatewayFixture.with(upstream: upstream.url + "/v1") { gateway in
                let path = "/rollout_id/r/invocation_id/i/experiment_id/e/run_id/u/row_id/w/chat/completions"
                for model in ["m", "m", "broken"] {
                    _ = try await gateway.post(path, #"{"model":"\#(model)","messages":[]}"#)
                }
                #expect(try await gateway.post(path, "{").status == 400)
                try await gateway.log("r", code: 101)
                try await gateway.log("r")
                try await gateway.log("r", code: 100)
                try await eventually("record of the failed call") {
                    try await value(gateway, #"rollcall_calls_total{state="failed"}"#) == 1
                }
                let expected: [(String, Double)] = [
                    (#"rollcall_calls_total{state="recorded"}"#, 2), ("rollcall_call_seconds_count", 2),
                    ("rollcall_call_first_byte_seconds_count", 2), ("rollcall_log_lines_total", 3),
                    (#"rollcall_statuses_total{code="100"}"#, 1), (#"rollcall_statuses_total{code="101"}"#, 1),
                    (#"rollcall_http_requests_total{method="POST",status="200"}"#, 3), ("rollcall_ready", 1),
                    ("rollcall_calls_in_flight", 0), ("rollcall_records_pending", 0),
                    (#"rollcall_commits_total{result="failed"}"#, 0),
                    (#"rollcall_tokens_total{kind="prompt"}"#, 14), (#"rollcall_tokens_total{kind="completion"}"#, 6),
                    ("rollcall_records_refused_total", 0), ("rollcall_records_pending_bytes", 0),
                    ("rollcall_watched_rollouts", 0), ("rollcall_waiting_requests", 0), ("rollcall_event_streams", 0),
                    // Three calls and three lines.
                    ("rollcall_commit_records_sum", 6),
                ]
                for (series, number) in expected {
                    let found = try await value(gateway, series)
                    #expect(found == number, "\(series)")
                }
                let problems = try await gateway.get("/metrics").text.split(separator: "\n")
                    .filter { $0.hasPrefix("rollcall_call_problems_total") && $0.contains(#"status="400""#) }
                #expect(problems.count == 1)
                let least: [(String, Double)] = [
                    ("rollcall_commit_seconds_count", 1), (#"rollcall_store_bytes{file="database"}"#, 8192),
                    (#"rollcall_store_bytes{file="log"}"#, 8192), ("rollcall_connections", 1),
                ]
                for (series, number) in least {
                    let found = try #require(try await value(gateway, series), "\(series)")
                    #expect(found >= number, "\(series)")
                }
                // An event loop looks ten times a second how late it is, as long as it has connections to upstreams.
                try await eventually("lag") {
                    try await value(gateway, "rollcall_event_loop_lag_seconds_count") ?? 0 > 0
                }
                let text = try await gateway.get("/metrics").text
                let commits = try #require(value(of: #"rollcall_commits_total{result="committed"}"#, in: text))
                #expect(value(of: "rollcall_commit_records_count", in: text) == commits)
                #expect(value(of: "rollcall_commit_seconds_count", in: text) == commits)
                for histogram in ["rollcall_event_loop_lag_seconds", "rollcall_commit_seconds"] {
                    let count = try #require(value(of: histogram + "_count", in: text))
                    let sum = try #require(value(of: histogram + "_sum", in: text))
                    #expect(value(of: histogram + #"_bucket{le="+Inf"}"#, in: text) == count)
                    // What is counted in other units than seconds is far beyond.
                    #expect(sum >= 0 && sum < 60 * count, "\(histogram): \(sum)")
                }
            }
        }
    }

    @Test("records that find no room are counted, and what was refused for them, as are those that wait")
    func refusals() async throws {
        let gate = Gate()
        defer { gate.open() }
        try await LimitedGateway.with(
            ["--max-pending-records", "1"],
            answer: { _ in
                await gate.pass()
                return .json(GatewayFixture.completion("hello"))
            }
        ) { gateway in
            let held = try await gateway.send("r")
            try await gateway.upstream.waitForRequests(1)
            #expect(try await gateway.call().status == 503)
            #expect(try await gateway.log().status == 503)
            let text = try await gateway.process.request("GET", "/metrics").text
            for (series, number) in [
                ("rollcall_records_refused_total", 2), ("rollcall_records_pending", 1), ("rollcall_calls_in_flight", 1),
                (#"rollcall_call_problems_total{code="store_unavailable",status="503"}"#, 1),
                (#"rollcall_http_requests_total{method="POST",status="503"}"#, 1), ("rollcall_ready", 1),
            ] as [(String, Double)] {
                #expect(value(of: series, in: text) == number, "\(series)")
            }
            #expect(value(of: "rollcall_records_pending_bytes", in: text) ?? 0 > 0)
            gate.open()
            #expect(try await held.response().status == 200)
        }
    }

    @Test("a call counts as in flight until it has ended, and whoever asks needs a key where there are keys")
    func inFlight() async throws {
        let release = AsyncStream.makeStream(of: Void.self)
        try await ScriptedHTTPServer.with({ _ in
            for await _ in release.stream { break }
            return .json(GatewayFixture.completion("late"))
        }) { upstream in
            try await GatewayFixture.with(upstream: upstream.url + "/v1") { gateway in
                async let answer = gateway.post(
                    "/rollout_id/r/invocation_id/i/experiment_id/e/run_id/u/row_id/w/chat/completions",
                    #"{"model":"m","messages":[]}"#)
                try await eventually("call in flight") { try await value(gateway, "rollcall_calls_in_flight") == 1 }
                release.continuation.yield()
                #expect(try await answer.status == 200)
                try await eventually("its end") { try await value(gateway, "rollcall_calls_in_flight") == 0 }
                let client = try await RawConnection.open(gateway.port)
                try await client.send(
                    "POST /rollout_id/r/invocation_id/i/experiment_id/e/run_id/u/row_id/w/chat/completions HTTP/1.1\r\n"
                        + "host: x\r\ncontent-length: 2\r\n\r\n{}")
                try await eventually("call in flight") { try await value(gateway, "rollcall_calls_in_flight") == 1 }
                await client.close()
                try await eventually("its end") { try await value(gateway, "rollcall_calls_in_flight") == 0 }
            }
        }
        try await GatewayFixture.with(keys: KeyRing(list: "k")) { gateway in
            let refused = try await gateway.get("/metrics")
            #expect(refused.status == 401)
            let given = try await gateway.get("/metrics", headers: ["authorization: Bearer k"])
            #expect(given.status == 200)
        }
    }
}
