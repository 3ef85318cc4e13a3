// Part of Rollcall. SPDX-License-Identifier: Apache-2.0

import EvalProtocol
import NIOHTTP1
import RolloutEnvironment
import ServiceLifecycle
import Synchronization
import TestSupport
import Testing
import WireJSON

@Suite("RolloutEnvironment: cancelling, joining, stopping") struct LifecycleOverSocketTests {
    /// An agent that runs until it is cancelled.
    private static func waiting(_ configuration: RolloutEnvironment.Configuration = .test) -> RolloutEnvironment {
        RolloutEnvironment(configuration) { _ in
            try await Task.sleep(for: .seconds(3_600))
            return .finished()
        }
    }

    @Test("a cancelled rollout ends as CANCELLED, once") func cancel() async throws {
        try await FakeGateway.with { gateway in
            try await ServedEnvironment.with(Self.waiting()) { environment in
                for id in ["a", "b", "c"] {
                    #expect(
                        try await environment.initialize(.test(id, gateway: gateway.url, attempt: "x1")).status == 200)
                }
                let answer = try await environment.post("/cancel", ["rollout_id": ["a", "none"], "attempt": "x1"])
                #expect(
                    answer.json == [
                        "results": [
                            ["rollout_id": "a", "result": "cancelled"], ["rollout_id": "none", "result": "unknown"],
                        ]
                    ])
                try await eventually("end of a") { gateway.terminal(of: "a") == [.cancelled] }
                let other = try await environment.post("/cancel", ["rollout_id": "b", "attempt": "x2"])
                #expect(other.json?["results"]?[0]?["result"] == "other_attempt")
                let again = try await environment.post("/cancel", ["rollout_id": "a"])
                #expect(again.json?["results"]?[0]?["result"] == "ended")
                let all = try await environment.post("/cancel", ["all": true])
                #expect(all.json?["results"]?.array?.count == 2)
                try await eventually("end of all") {
                    gateway.terminal(of: "b") == [.cancelled] && gateway.terminal(of: "c") == [.cancelled]
                }
                #expect(try await environment.send(.GET, "/health").json?["running"] == 0)
            }
            #expect(gateway.terminal(of: "a") == [.cancelled])
        }
    }

    @Test("an agent that does not heed its cancellation is reported without it") func deaf() async throws {
        let release = Latchlike()
        var configuration = RolloutEnvironment.Configuration.test
        configuration.cancellationGrace = .milliseconds(50)
        configuration.maximumConcurrentRollouts = 1
        configuration.maximumQueuedRollouts = 0
        try await FakeGateway.with { gateway in
            let environment = RolloutEnvironment(configuration) { _ in
                await release.wait()
                return .finished()
            }
            try await ServedEnvironment.with(environment) { environment in
                _ = try await environment.initialize(.test("a", gateway: gateway.url))
                _ = try await environment.post("/cancel", ["rollout_id": "a"])
                try await eventually("end of a") { gateway.terminal(of: "a") == [.cancelled] }
                #expect(try await environment.initialize(.test("b", gateway: gateway.url)).status == 503)
                let health = try await environment.send(.GET, "/health")
                #expect(health.status == 503)
                #expect(health.json?["abandoned"] == 1)
                #expect(health.json?["problem"]?.string?.contains("do not return") == true)
                release.open()
                try await eventually("free place") {
                    try await environment.initialize(.test("b", gateway: gateway.url)).status == 200
                }
                #expect(try await environment.send(.GET, "/health").json?["abandoned"] == 0)
            }
            #expect(gateway.terminal(of: "a") == [.cancelled])
        }
    }

    @Test("beyond capacity and queue: 503 with Retry-After; the queue moves up") func overload() async throws {
        let release = Latchlike()
        var configuration = RolloutEnvironment.Configuration.test
        configuration.maximumConcurrentRollouts = 1
        configuration.maximumQueuedRollouts = 1
        try await FakeGateway.with { gateway in
            let environment = RolloutEnvironment(configuration) { _ in
                await release.wait()
                return .finished()
            }
            try await ServedEnvironment.with(environment) { environment in
                #expect(try await environment.initialize(.test("a", gateway: gateway.url)).status == 200)
                #expect(try await environment.initialize(.test("b", gateway: gateway.url)).status == 200)
                let full = try await environment.initialize(.test("c", gateway: gateway.url))
                #expect(full.status == 503)
                #expect(full.headers.first(name: "retry-after") == "2")
                #expect(full.message.contains("maximumConcurrentRollouts"))
                let health = try await environment.send(.GET, "/health")
                #expect(health.json == ["status": "healthy", "capacity": 1, "running": 1, "queued": 1, "abandoned": 0])
                release.open()
                try await eventually("both ends") {
                    gateway.terminal(of: "a") == [.finished] && gateway.terminal(of: "b") == [.finished]
                }
                #expect(gateway.codes(of: "c").isEmpty)
            }
        }
    }

    @Test("a repeated /init joins after RUNNING again, and gets a receipt after the end") func joining() async throws {
        let starts = Atomic(0)
        let release = Latchlike()
        try await FakeGateway.with { gateway in
            let environment = RolloutEnvironment(.test) { _ in
                starts.add(1, ordering: .relaxed)
                await release.wait()
                return .finished("done")
            }
            try await ServedEnvironment.with(environment) { environment in
                let first = try await environment.initialize(.test("a", gateway: gateway.url, attempt: "x1"))
                #expect(first.json?["attempt"] == "x1")
                for attempt in ["x1", nil] {
                    let again = try await environment.initialize(.test("a", gateway: gateway.url, attempt: attempt))
                    #expect(again.status == 200)
                    #expect(again.json?["status"] == "joined")
                    #expect(again.json?["attempt"] == "x1")
                }
                #expect(gateway.codes(of: "a") == [.running, .running, .running])
                release.open()
                try await eventually("end") { gateway.terminal(of: "a") == [.finished] }
                let receipt = try await environment.initialize(.test("a", gateway: gateway.url, attempt: "x1"))
                #expect(receipt.status == 200)
                #expect(receipt.json?["receipt"]?["status"]?["message"] == "done")
                #expect(starts.load(ordering: .relaxed) == 1)
                let new = try await environment.initialize(.test("a", gateway: gateway.url))
                #expect(new.json?["status"] == "accepted")
                #expect(new.json?["attempt"] != "x1")
            }
            #expect(starts.load(ordering: .relaxed) == 2)
        }
    }

    @Test("an /init that would join what the gateway has ended starts a new attempt") func joiningTheEnded()
        async throws
    {
        try await FakeGateway.with { gateway in
            try await ServedEnvironment.with(Self.waiting()) { environment in
                let first = try await environment.initialize(.test("a", gateway: gateway.url))
                let ended = try #require(first.json?["attempt"]?.string)
                gateway.onLine { line in
                    .json(["attempt": 1, "current": true, "final": line.attempt == ended ? 4 : nil])
                }
                let again = try await environment.initialize(.test("a", gateway: gateway.url))
                #expect(again.status == 200 && again.json?["status"] == "accepted")
                #expect(again.json?["attempt"]?.string != ended)
                let joined = try await environment.initialize(.test("a", gateway: gateway.url))
                #expect(joined.json?["status"] == "joined" && joined.json?["attempt"] == again.json?["attempt"])
                _ = try await environment.post("/cancel", ["all": true])
            }
        }
    }

    @Test("an attempt that the gateway has seen replaced does not begin, and its end is reported") func replaced()
        async throws
    {
        try await FakeGateway.with { gateway in
            gateway.onLine { _ in .json(["attempt": 1, "current": false, "final": nil]) }
            let environment = RolloutEnvironment(.test) { _ in
                Issue.record("the agent was started")
                return .finished()
            }
            try await ServedEnvironment.with(environment) { environment in
                let answer = try await environment.initialize(.test("a", gateway: gateway.url, attempt: "a1"))
                #expect(answer.json?["status"] == "ended")
                #expect(answer.json?["receipt"]?["status"]?["details"]?[0]?["reason"] == "SUPERSEDED")
                try await eventually("end") { gateway.terminal(of: "a") == [.cancelled] }
                #expect(gateway.lines(of: "a").last?.attempt == "a1")
            }
        }
    }

    @Test("at once repeated /init starts one agent") func concurrentJoin() async throws {
        let starts = Atomic(0)
        try await FakeGateway.with { gateway in
            let environment = RolloutEnvironment(.test) { _ in
                starts.add(1, ordering: .relaxed)
                try await Task.sleep(for: .seconds(3_600))
                return .finished()
            }
            try await ServedEnvironment.with(environment) { environment in
                let attempts = try await withThrowingTaskGroup(of: JSONValue?.self) { group in
                    for _ in 0..<10 {
                        group.addTask {
                            try await environment.initialize(.test("a", gateway: gateway.url)).json?["attempt"]
                        }
                    }
                    return try await group.reduce(into: Set<JSONValue?>()) { $0.insert($1) }
                }
                #expect(attempts.count == 1)
                #expect(starts.load(ordering: .relaxed) == 1)
                _ = try await environment.post("/cancel", ["all": true])
            }
        }
    }

    @Test("another attempt: its RUNNING first, then the old one ends", arguments: [true, false])
    func attempts(knowsAttempts: Bool) async throws {
        try await FakeGateway.with { gateway in
            if !knowsAttempts { gateway.onLine { _ in FakeGateway.takenPlain } }
            try await ServedEnvironment.with(Self.waiting()) { environment in
                _ = try await environment.initialize(.test("a", gateway: gateway.url, attempt: "x1"))
                let second = try await environment.initialize(.test("a", gateway: gateway.url, attempt: "x2"))
                #expect(second.json?["attempt"] == "x2")
                try await eventually("end of the first") {
                    try await environment.send(.GET, "/health").json?["running"] == 1
                }
                _ = try await environment.post("/cancel", ["all": true])
                try await eventually("end of the second") {
                    gateway.lines(of: "a").contains { $0.attempt == "x2" && $0.code == .cancelled }
                }
            }
            let statuses = gateway.lines(of: "a").filter { $0.code != nil }.map {
                "\($0.attempt ?? "") \($0.code!.name)"
            }
            // A gateway that does not tell attempts apart must not hear of the first one's end.
            #expect(
                statuses
                    == (knowsAttempts
                        ? ["x1 RUNNING", "x2 RUNNING", "x1 CANCELLED", "x2 CANCELLED"]
                        : ["x1 RUNNING", "x2 RUNNING", "x2 CANCELLED"]))
        }
    }

    @Test("what the gateway has ended or superseded is cancelled", arguments: ["final", "current"])
    func verdict(field: String) async throws {
        try await FakeGateway.with { gateway in
            gateway.onLine { line in
                line.message == "checkpoint"
                    ? .json(["attempt": 1, "current": .bool(field != "current"), "final": field == "final" ? 4 : nil])
                    : FakeGateway.taken
            }
            let environment = RolloutEnvironment(.test) { rollout in
                rollout.checkpoint("checkpoint")
                try await Task.sleep(for: .seconds(3_600))
                return .finished()
            }
            try await ServedEnvironment.with(environment) { environment in
                _ = try await environment.initialize(.test("a", gateway: gateway.url))
                try await eventually("end") { gateway.terminal(of: "a") == [.cancelled] }
            }
        }
    }

    @Test("an attempt that the gateway has ended already is not started") func endedBefore() async throws {
        let starts = Atomic(0)
        try await FakeGateway.with { gateway in
            gateway.onLine { _ in .json(["attempt": 1, "current": true, "final": 100]) }
            let environment = RolloutEnvironment(.test) { _ in
                starts.add(1, ordering: .relaxed)
                return .finished()
            }
            try await ServedEnvironment.with(environment) { environment in
                let answer = try await environment.initialize(.test("a", gateway: gateway.url, attempt: "x1"))
                #expect(answer.status == 200)
                #expect(answer.json?["receipt"]?["status"]?["code"] == 100)
            }
        }
        #expect(starts.load(ordering: .relaxed) == 0)
    }

    @Test("a stop lets what runs end, refuses what comes, and cuts the rest as UNAVAILABLE") func drain() async throws {
        let release = Latchlike()
        var configuration = RolloutEnvironment.Configuration.test
        configuration.maximumConcurrentRollouts = 2
        configuration.grace = .seconds(1)
        try await FakeGateway.with { gateway in
            let environment = RolloutEnvironment(configuration) { rollout in
                if rollout.metadata.rolloutID == "quick" {
                    await release.wait()
                } else {
                    try await Task.sleep(for: .seconds(3_600))
                }
                return .finished()
            }
            try await ServedEnvironment.with(environment) { environment in
                for id in ["quick", "slow", "queued"] {
                    #expect(try await environment.initialize(.test(id, gateway: gateway.url)).status == 200)
                }
                await environment.group.triggerGracefulShutdown()
                try await eventually("end of what waited") { gateway.terminal(of: "queued") == [.unavailable] }
                let refused = try await environment.initialize(.test("late", gateway: gateway.url))
                #expect(refused.status == 503)
                #expect(refused.headers.first(name: "retry-after") != nil)
                release.open()
            }
            #expect(gateway.terminal(of: "quick") == [.finished])
            #expect(gateway.terminal(of: "slow") == [.unavailable])
            #expect(gateway.codes(of: "late").isEmpty)
        }
    }

    @Test("a stop does not wait for an agent that never returns") func drainOfTheDeaf() async throws {
        let release = Latchlike()
        var configuration = RolloutEnvironment.Configuration.test
        configuration.grace = .milliseconds(100)
        try await FakeGateway.with { gateway in
            let environment = RolloutEnvironment(configuration) { rollout in
                await release.wait()
                return .finished()
            }
            try await ServedEnvironment.with(environment) { environment in
                _ = try await environment.initialize(.test("deaf", gateway: gateway.url))
            }
            #expect(gateway.terminal(of: "deaf") == [.unavailable])
            let line = try #require(gateway.lines(of: "deaf").last)
            #expect(line.json["status"]?["details"]?[0]?["reason"] == "ENVIRONMENT_STOPPED")
            release.open()
        }
    }

    @Test("a hundred rollouts at once do not mix") func manyAtOnce() async throws {
        try await FakeGateway.with { gateway in
            gateway.onCall { request in
                FakeGateway.completion("echo \(request.json?["messages"]?[0]?["content"]?.string ?? "")")
            }
            let environment = RolloutEnvironment(.test) { rollout in
                var messages = rollout.messages
                messages[0] = .user("marker-\(rollout.metadata.rolloutID)")
                let answer = try await rollout.model.complete(messages)
                rollout.logger.info("\(answer.message.text)")
                return .finished(answer.message.text)
            }
            try await ServedEnvironment.with(environment) { environment in
                try await withThrowingTaskGroup(of: Void.self) { group in
                    for index in 0..<100 {
                        group.addTask {
                            let answer = try await environment.initialize(.test("r\(index)", gateway: gateway.url))
                            #expect(answer.status == 200)
                        }
                    }
                    try await group.waitForAll()
                }
                try await eventually("hundred ends") { gateway.lines.filter { $0.code == .finished }.count == 100 }
            }
            for index in 0..<100 {
                let lines = gateway.lines(of: "r\(index)")
                #expect(lines.map(\.code) == [.running, nil, .finished])
                #expect(lines.dropFirst().allSatisfy { $0.message == "echo marker-r\(index)" })
            }
        }
    }
}

/// Lets those who wait go when it is opened, heedless of cancellation.
final class Latchlike: Sendable {
    private struct State {
        var isOpen = false
        var waiters: [CheckedContinuation<Void, Never>] = []
    }
    private let state = Mutex(State())

    func wait() async {
        await withCheckedContinuation { continuation in
            let isOpen = state.withLock { state in
                if !state.isOpen { state.waiters.append(continuation) }
                return state.isOpen
            }
            if isOpen { continuation.resume() }
        }
    }

    func open() {
        let waiters = state.withLock { state in
            state.isOpen = true
            defer { state.waiters = [] }
            return state.waiters
        }
        for waiter in waiters { waiter.resume() }
    }
}
