// Part of Rollcall. SPDX-License-Identifier: Apache-2.0

import EvalProtocol
import RolloutEnvironment
import TestSupport
import Testing

@Suite("RolloutEnvironment: the queue") struct FairQueueTests {
    typealias Machine = RolloutRegistry.StateMachine
    typealias Key = RolloutRegistry.Key

    private func key(_ name: String) -> Key { Key(rolloutID: name, attempt: AttemptID("1")!) }

    /// Takes until it is empty; what is taken goes on running.
    private func order(_ queue: FairQueue, running: [String: Int] = [:]) -> String {
        var (queue, running, order) = (queue, running, "")
        while let next = queue.next(running: { running[$0] ?? 0 }) {
            order += next.rolloutID
            running[String(next.rolloutID.prefix(1)), default: 0] += 1
        }
        return order
    }

    @Test(
        "gives the next place to the experiment with the fewest, then to the one that has waited longest for a turn",
        arguments: [
            (["a1", "a2", "a3"], [:], "a1a2a3"), (["a1", "a2", "a3", "b1", "b2"], [:], "a1b1a2b2a3"),
            (["a1", "a2", "b1", "c1"], ["a": 9], "b1c1a1a2"),
            (["a1", "b1", "b2", "b3"], ["a": 2, "b": 1], "b1a1b2b3"),
            ([], [:], ""),
        ] as [([String], [String: Int], String)])
    func turns(names: [String], running: [String: Int], expected: String) {
        var queue = FairQueue()
        for name in names { queue.append(key(name), of: String(name.prefix(1))) }
        #expect(queue.count == names.count)
        #expect(Set(queue.keys.map(\.rolloutID)) == Set(names))
        #expect(order(queue, running: running) == expected)
    }

    @Test("lets go of any that is taken out") func removal() {
        var queue = FairQueue()
        for name in ["a1", "b1", "a2"] { queue.append(key(name), of: String(name.prefix(1))) }
        queue.remove(key("a1"), of: "a")
        queue.remove(key("b1"), of: "b")
        queue.remove(key("none"), of: "b")
        #expect(order(queue) == "a2")
        queue.remove(key("a2"), of: "a")
        #expect(queue.isEmpty)
        #expect(queue.keys.isEmpty)
    }

    @Test("an experiment of a thousand does not keep another's one rollout waiting") func small() {
        var machine = Machine(maximumRunning: 4, maximumQueued: 2_000, maximumReceipts: 9)
        let stopped = FailureReason.environmentStopped.status("stopped")
        let now = ContinuousClock.now
        func start(_ name: String, _ experiment: String) {
            _ = machine.admit(
                name, attempt: AttemptID("1"), fresh: AttemptID("x")!, terms: ExecutionTerms(experimentID: experiment))
            _ = machine.confirm(key(name), stopped: stopped, now: now)
        }
        for index in 0..<1_000 { start("big\(index)", "big") }
        start("small", "small")
        #expect(machine.finish(key("big0"), .finished(), now: now).next == key("small"))
        // Its place counts until it is given back, then it is the other's turn.
        #expect(machine.finish(key("big1"), .finished(), now: now).next == key("big4"))
        #expect(machine.finish(key("small"), .finished(), now: now).next == key("big5"))
        #expect(machine.queuedCount == 994)
    }
}
