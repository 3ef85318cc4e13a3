// Part of Rollcall. SPDX-License-Identifier: Apache-2.0

import EvalProtocol
import NIOHTTP1
import RolloutEnvironment
import TestSupport
import Testing
import WireJSON

@Suite("RolloutEnvironment: metrics") struct MetricsTests {
    private static func values(_ text: String) -> [String: Double] {
        var values: [String: Double] = [:]
        for line in text.split(separator: "\n") where !line.hasPrefix("#") {
            guard let space = line.lastIndex(of: " ") else { continue }
            values[String(line[..<space])] = Double(line[line.index(after: space)...])
        }
        return values
    }

    @Test("tell what runs, waits and has ended, how long it took, and what became of the lines") func all() async throws
    {
        struct Broken: Error {}
        let release = Latchlike()
        var configuration = RolloutEnvironment.Configuration.test
        configuration.maximumConcurrentRollouts = 1
        configuration.acceptedAPIKeys = ["secret-key"]
        try await FakeGateway.with { gateway in
            let environment = RolloutEnvironment(configuration) { rollout in
                await release.wait()
                _ = try await rollout.model.complete(rollout.messages)
                rollout.logger.info("a line")
                if rollout.metadata.rolloutID == "bad" { throw Broken() }
                return .finished()
            }
            try await ServedEnvironment.with(environment) { environment in
                func metrics() async throws -> [String: Double] {
                    let answer = try await environment.send(
                        .GET, "/metrics", headers: [("authorization", "Bearer secret-key")])
                    #expect(answer.headers.first(name: "content-type")?.hasPrefix("text/plain; version=0.0.4") == true)
                    for line in answer.text.split(separator: "\n") where line.hasPrefix("# TYPE ") {
                        let name = line.split(separator: " ")[2]
                        #expect(answer.text.contains("# HELP \(name) "))
                    }
                    return Self.values(answer.text)
                }
                #expect(try await environment.send(.GET, "/metrics").status == 401)
                for id in ["good", "bad"] {
                    let request = InitRequest.test(id, gateway: gateway.url, key: "secret-key")
                    #expect(try await environment.initialize(request).status == 200)
                }
                _ = try await environment.post("/init", [:], headers: [("authorization", "Bearer secret-key")])
                let before = try await metrics()
                #expect(before["rollcall_environment_running"] == 1)
                #expect(before["rollcall_environment_queued"] == 1)
                #expect(before["rollcall_environment_capacity"] == 1)
                release.open()
                try await eventually("ends") {
                    gateway.terminal(of: "good").count + gateway.terminal(of: "bad").count == 2
                }
                try await eventually("delivered lines") {
                    try await metrics()["rollcall_environment_log_lines_delivered_total"] == 6
                }
                let after = try await metrics()
                #expect(after["rollcall_environment_running"] == 0)
                #expect(after[#"rollcall_environment_ended_total{code="100",reason=""}"#] == 1)
                #expect(after[#"rollcall_environment_ended_total{code="13",reason="AGENT_ERROR"}"#] == 1)
                #expect(after["rollcall_environment_agent_seconds_count"] == 2)
                #expect(after["rollcall_environment_queue_seconds_count"] == 2)
                #expect(after["rollcall_environment_model_seconds_count"] == 2)
                #expect(after[#"rollcall_environment_init_answers_total{status="200"}"#] == 2)
                #expect(after[#"rollcall_environment_init_answers_total{status="400"}"#] == 1)
                #expect(after["rollcall_environment_log_lines_dropped_total"] == 0)
                #expect(after["rollcall_environment_statuses_waiting"] == 0)
            }
        }
    }
}
