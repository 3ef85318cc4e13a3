// Part of Rollcall. SPDX-License-Identifier: Apache-2.0

import EvalProtocol
import NIOHTTP1
import RolloutEnvironment
import Synchronization
import TestSupport
import Testing
import WireJSON

@Suite("RolloutEnvironment: deadlines over a socket") struct DeadlineOverSocketTests {
    private static func request(_ rolloutID: String, _ gateway: FakeGateway, deadline: Double?) -> InitRequest {
        var request = InitRequest.test(rolloutID, gateway: gateway.url)
        if let deadline { request.metadata.additional["deadline_seconds"] = .number(deadline) }
        return request
    }

    @Test(
        "a passed deadline cancels the agent and is the one terminal status",
        arguments: ["deadline_seconds", "timeout"])
    func running(limit: String) async throws {
        let wasCancelled = Atomic(false)
        let deadline = Kept<ContinuousClock.Instant>()
        var configuration = RolloutEnvironment.Configuration.test
        configuration.timeout = .seconds(limit == "timeout" ? 0.3 : 3_600)
        try await FakeGateway.with { gateway in
            let environment = RolloutEnvironment(configuration) { rollout in
                deadline.value = rollout.deadline
                do {
                    try await Task.sleep(for: .seconds(3_600))
                } catch {
                    wasCancelled.store(true, ordering: .relaxed)
                }
                // Too late.
                return .finished()
            }
            let before = ContinuousClock.now
            try await ServedEnvironment.with(environment) { environment in
                let request = Self.request("a", gateway, deadline: limit == "timeout" ? nil : 0.3)
                #expect(try await environment.initialize(request).status == 200)
                try await eventually("end of a") { !gateway.terminal(of: "a").isEmpty }
                let status = try await environment.send(.GET, "/status?rollout_id=a").json?["status"]
                #expect(status?["details"]?[0]?["reason"] == "DEADLINE_PASSED")
                #expect(status?["details"]?[0]?["metadata"]?["limit"] == .string(limit))
                #expect(try await environment.send(.GET, "/health").json?["running"] == 0)
            }
            #expect(gateway.codes(of: "a") == [.running, .deadlineExceeded])
            let cancelled = wasCancelled.load(ordering: .relaxed)
            #expect(cancelled)
            let given = try #require(deadline.value)
            #expect(given > before && given < before + .seconds(60))
        }
    }

    @Test("one that waits for a place ends at its deadline without having started") func queued() async throws {
        let release = Latchlike()
        let started = Kept<[String]>()
        started.value = []
        var configuration = RolloutEnvironment.Configuration.test
        configuration.maximumConcurrentRollouts = 1
        try await FakeGateway.with { gateway in
            let environment = RolloutEnvironment(configuration) { rollout in
                started.value?.append(rollout.metadata.rolloutID)
                await release.wait()
                return .finished()
            }
            try await ServedEnvironment.with(environment) { environment in
                _ = try await environment.initialize(Self.request("a", gateway, deadline: nil))
                _ = try await environment.initialize(Self.request("b", gateway, deadline: 0.2))
                _ = try await environment.initialize(Self.request("c", gateway, deadline: 600))
                try await eventually("end of b") { gateway.terminal(of: "b") == [.deadlineExceeded] }
                #expect(gateway.lines(of: "b").last?.message.contains("before its agent could start") == true)
                release.open()
                try await eventually("end of c") { gateway.terminal(of: "c") == [.finished] }
            }
            #expect(started.value == ["a", "c"])
            #expect(gateway.terminal(of: "b") == [.deadlineExceeded])
        }
    }

    @Test("agents that block every thread of tasks do not keep a deadline from passing") func blocked() async throws {
        try await FakeGateway.with { gateway in
            let environment = RolloutEnvironment(.test) { _ in
                let end = ContinuousClock.now + .seconds(1)
                while ContinuousClock.now < end, !Task.isCancelled {}
                return .finished(Task.isCancelled ? "cancelled" : "ran on")
            }
            try await ServedEnvironment.with(environment) { environment in
                for id in ["a", "b", "c", "d"] {
                    _ = try await environment.initialize(Self.request(id, gateway, deadline: 0.3))
                }
                try await eventually("all ends") {
                    ["a", "b", "c", "d"].allSatisfy { gateway.terminal(of: $0) == [.deadlineExceeded] }
                }
            }
        }
    }
}
