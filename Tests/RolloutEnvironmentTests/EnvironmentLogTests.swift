// Part of Rollcall. SPDX-License-Identifier: Apache-2.0

import EvalProtocol
import Logging
import RolloutEnvironment
import TestSupport
import Testing
import WireJSON

@Suite("RolloutEnvironment: its own log") struct EnvironmentLogTests {
    struct Broken: Error, CustomStringConvertible {
        let description = "the agent broke near caller-key-1234"
    }

    private static func of(_ id: String, _ lines: [RecordedLog.Line], _ message: String) -> [RecordedLog.Line] {
        lines.filter { $0.message == message && $0.metadata["rollout_id"] == "\(id)" }
    }

    private static func seconds(_ value: Logger.MetadataValue?) -> Double? { value.flatMap { Double("\($0)") } }

    @Test("has one line for each rollout that is accepted, and one for its end, for programs to read") func ends()
        async throws
    {
        let log = RecordedLog()
        var configuration = RolloutEnvironment.Configuration.test
        configuration.logger = log.logger
        configuration.maximumConcurrentRollouts = 2
        let release = Latchlike()
        let environment = RolloutEnvironment(configuration) { rollout in
            if rollout.metadata.rolloutID == "stuck" { try await Task.sleep(for: .seconds(60)) }
            await release.wait()
            if rollout.metadata.rolloutID == "bad" { throw Broken() }
            return .finished()
        }
        try await FakeGateway.with { gateway in
            try await ServedEnvironment.with(environment) { environment in
                for id in ["stuck", "good", "bad", "waiting"] {
                    let answer = try await environment.initialize(.test(id, gateway: gateway.url, attempt: "a1"))
                    #expect(answer.status == 200)
                }
                // To join is neither to be accepted nor to be refused.
                _ = try await environment.initialize(.test("good", gateway: gateway.url, attempt: "a1"))
                _ = try await environment.post("/cancel", ["rollout_id": ["waiting", "stuck"]])
                release.open()
                try await eventually("ends") { log.lines.filter { $0.message == "a rollout has ended" }.count == 4 }
            }
        }
        let ends: [(String, String, String, String?, Logger.Level)] = [
            ("good", "100", "FINISHED", nil, .info), ("bad", "13", "INTERNAL", "AGENT_ERROR", .warning),
            ("waiting", "1", "CANCELLED", "CANCELLED", .info), ("stuck", "1", "CANCELLED", "CANCELLED", .info),
        ]
        for (id, code, status, reason, level) in ends {
            let accepted = Self.of(id, log.lines, "accepted a rollout")
            #expect(accepted.map(\.metadata) == [["rollout_id": "\(id)", "attempt": "a1"]])
            let ended = Self.of(id, log.lines, "a rollout has ended")
            #expect(ended.count == 1)
            let line = try #require(ended.first)
            #expect(line.level == level)
            #expect(line.metadata["attempt"] == "a1")
            #expect(line.metadata["code"] == "\(code)")
            #expect(line.metadata["status"] == "\(status)")
            #expect(line.metadata["reason"].map { "\($0)" } == reason)
            #expect(try #require(Self.seconds(line.metadata["duration_seconds"])) >= 0)
            #expect(try #require(Self.seconds(line.metadata["queued_seconds"])) >= 0)
        }
        let bad = try #require(Self.of("bad", log.lines, "a rollout has ended").first)
        #expect(bad.metadata["details"] == "The agent threw Broken: the agent broke near [redacted]")
        let waiting = try #require(Self.of("waiting", log.lines, "a rollout has ended").first)
        #expect(Self.seconds(waiting.metadata["duration_seconds"]) == 0)
        #expect(!log.lines.contains { "\($0)".contains("caller-key") })
    }

    @Test("has one line for each request that is refused, with its rollout as far as it is known") func refusals()
        async throws
    {
        let log = RecordedLog()
        var configuration = RolloutEnvironment.Configuration.test
        configuration.logger = log.logger
        configuration.maximumConcurrentRollouts = 1
        configuration.maximumQueuedRollouts = 0
        configuration.acceptedAPIKeys = ["caller-key-1234"]
        let environment = RolloutEnvironment(configuration) { _ in
            try await Task.sleep(for: .seconds(60))
            return .finished()
        }
        try await FakeGateway.with { gateway in
            try await ServedEnvironment.with(environment) { environment in
                _ = try await environment.initialize(.test("first", gateway: gateway.url))
                let full = try await environment.initialize(.test("second", gateway: gateway.url, attempt: "a2"))
                #expect(full.status == 503)
                _ = try await environment.initialize(.test("third", gateway: gateway.url, key: "another-key-1234"))
                let key = [("authorization", "Bearer caller-key-1234")]
                _ = try await environment.post("/init", [:], headers: key)
                _ = try await environment.post(
                    "/init", InitRequest.test("fifth", gateway: gateway.url).json,
                    headers: [("origin", "https://page.example")])
                let refused = log.lines.filter { $0.message == "refused a request" }
                let facts: [[String?]] = refused.map { line in
                    ["rollout_id", "attempt", "code", "reason"].map { name in line.metadata[name].map { "\($0)" } }
                }
                #expect(
                    facts == [
                        ["second", "a2", "503", "overloaded"], ["third", nil, "401", "invalid_api_key"],
                        [nil, nil, "400", "invalid_field"], [nil, nil, "403", "web_origin_not_allowed"],
                    ])
                #expect(refused.allSatisfy { Self.seconds($0.metadata["duration_seconds"]) != nil })
                #expect(refused.first?.metadata["request_id"].map { "\($0)" } == full.json?["request_id"]?.string)
                #expect(refused.first.map { "\($0.metadata["details"]!)" } == full.message)
                #expect(try await environment.post("/cancel", ["all": true], headers: key).status == 200)
            }
        }
        #expect(!log.lines.contains { "\($0)".contains("caller-key") || "\($0)".contains("another-key") })
    }
}
