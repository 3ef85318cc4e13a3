// Part of Rollcall. SPDX-License-Identifier: Apache-2.0

import EvalProtocol
import RolloutEnvironment
import Testing

@Suite("RolloutEnvironment: registry state machine") struct RegistryStateMachineTests {
    typealias Machine = RolloutRegistry.StateMachine
    typealias Key = RolloutRegistry.Key

    let stopped = FailureReason.environmentStopped.status("stopped")
    let cancelled = FailureReason.cancelled.status("cancelled")
    let t0 = ContinuousClock.now

    private func machine(running: Int = 2, queued: Int = 1, receipts: Int = 10) -> Machine {
        Machine(maximumRunning: running, maximumQueued: queued, maximumReceipts: receipts)
    }

    private func attempt(_ name: String) -> AttemptID { AttemptID(name)! }
    private func key(_ rollout: String, _ name: String) -> Key { Key(rolloutID: rollout, attempt: attempt(name)) }

    /// Admits and confirms.
    private func start(_ machine: inout Machine, _ rollout: String, _ name: String) -> Machine.Confirmation? {
        guard case .begin(let key) = machine.admit(rollout, attempt: attempt(name), fresh: attempt("fresh")) else {
            return nil
        }
        return machine.confirm(key, stopped: stopped, now: t0)
    }

    @Test("runs up to the limit, queues up to the next, then refuses") func limits() {
        var machine = machine()
        #expect(start(&machine, "a", "1") == .run(superseded: []))
        #expect(start(&machine, "b", "1") == .run(superseded: []))
        #expect(start(&machine, "c", "1") == .queue(superseded: []))
        #expect(machine.admit("d", attempt: nil, fresh: attempt("1")) == .full)
        #expect(machine.runningCount == 2)
        #expect(machine.queuedCount == 1)
        let finish = machine.finish(key("a", "1"), .finished(), now: t0)
        #expect(finish.status?.code == .finished)
        #expect(finish.next == key("c", "1"))
        #expect(machine.admit("d", attempt: nil, fresh: attempt("1")) == .begin(key("d", "1")))
    }

    @Test("an admitted one counts before its RUNNING is delivered, and not after it was withdrawn") func admitted() {
        var machine = machine(running: 1, queued: 0)
        #expect(machine.admit("a", attempt: nil, fresh: attempt("1")) == .begin(key("a", "1")))
        #expect(machine.admit("b", attempt: nil, fresh: attempt("1")) == .full)
        machine.withdraw(key("a", "1"))
        #expect(machine.admit("b", attempt: nil, fresh: attempt("1")) == .begin(key("b", "1")))
        #expect(machine.status(of: "a") == nil)
    }

    @Test("the same attempt, or none named, joins what is under way") func joins() {
        var machine = machine()
        #expect(machine.admit("a", attempt: nil, fresh: attempt("1")) == .begin(key("a", "1")))
        #expect(machine.admit("a", attempt: nil, fresh: attempt("2")) == .join(key("a", "1"), isAdmitted: true))
        #expect(
            machine.admit("a", attempt: attempt("1"), fresh: attempt("2")) == .join(key("a", "1"), isAdmitted: true))
        _ = machine.confirm(key("a", "1"), stopped: stopped, now: t0)
        #expect(machine.admit("a", attempt: nil, fresh: attempt("2")) == .join(key("a", "1"), isAdmitted: false))
    }

    @Test("another attempt supersedes only once its RUNNING is delivered") func supersedes() {
        var machine = machine()
        _ = start(&machine, "a", "1")
        #expect(machine.admit("a", attempt: attempt("2"), fresh: attempt("x")) == .begin(key("a", "2")))
        #expect(machine.status(of: "a")?.status.code == .running)
        #expect(machine.confirm(key("a", "2"), stopped: stopped, now: t0) == .run(superseded: [key("a", "1")]))
        #expect(machine.stop(key("a", "1"), FailureReason.superseded.status("new")) == .cancel)
        #expect(machine.finish(key("a", "1"), .finished(), now: t0).status?.code == .cancelled)
        #expect(machine.status(of: "a")?.attempt == attempt("2"))
    }

    @Test("an attempt that has ended is never started again; without a name a new one begins") func ended() {
        var machine = machine()
        _ = start(&machine, "a", "1")
        _ = machine.finish(key("a", "1"), .finished("done"), now: t0)
        #expect(
            machine.admit("a", attempt: attempt("1"), fresh: attempt("x")) == .ended(key("a", "1"), .finished("done")))
        #expect(machine.admit("a", attempt: nil, fresh: attempt("2")) == .begin(key("a", "2")))
    }

    @Test("the first decision from outside beats what the agent gives, and counts once") func verdict() {
        var machine = machine()
        _ = start(&machine, "a", "1")
        #expect(machine.stop(key("a", "1"), cancelled) == .cancel)
        #expect(machine.stop(key("a", "1"), stopped) == .nothing)
        #expect(machine.finish(key("a", "1"), .finished(), now: t0).status == cancelled)
        #expect(machine.finish(key("a", "1"), .finished(), now: t0).status == nil)
    }

    @Test("one that is given up is reported once and keeps its place until it returns") func givenUp() {
        var machine = machine(running: 1, queued: 0)
        _ = start(&machine, "a", "1")
        #expect(machine.giveUp(key("a", "1")) == nil)
        _ = machine.stop(key("a", "1"), cancelled)
        #expect(machine.giveUp(key("a", "1")) == cancelled)
        #expect(machine.liveCount == 0)
        #expect(machine.admit("b", attempt: nil, fresh: attempt("1")) == .full)
        #expect(machine.abandonedCount == 1)
        let finish = machine.finish(key("a", "1"), .finished(), now: t0)
        #expect(finish.status == nil)
        #expect(finish.wasAbandoned)
        #expect(machine.abandonedCount == 0)
        #expect(machine.admit("b", attempt: nil, fresh: attempt("1")) == .begin(key("b", "1")))
    }

    @Test("a waiting one that is stopped ends at once") func stopsWaiting() {
        var machine = machine(running: 1)
        _ = start(&machine, "a", "1")
        _ = start(&machine, "b", "1")
        #expect(machine.stop(key("b", "1"), cancelled) == .ended(cancelled))
        #expect(machine.finish(key("a", "1"), .finished(), now: t0).next == nil)
    }

    @Test("one that is stopped while it is admitted does not begin") func stopsAdmitted() {
        var machine = machine()
        _ = machine.admit("a", attempt: attempt("1"), fresh: attempt("x"))
        #expect(machine.stop(key("a", "1"), cancelled) == .noted)
        #expect(machine.confirm(key("a", "1"), stopped: stopped, now: t0) == .ended(cancelled))
        #expect(machine.runningCount == 0)
    }

    @Test("draining ends what waits, admits nothing, and stops what was being admitted") func drains() {
        var machine = machine(running: 1, queued: 2)
        _ = start(&machine, "a", "1")
        _ = start(&machine, "b", "1")
        _ = machine.admit("c", attempt: attempt("1"), fresh: attempt("x"))
        #expect(machine.drain(stopped) == [key("b", "1")])
        #expect(machine.confirm(key("c", "1"), stopped: stopped, now: t0) == .ended(stopped))
        #expect(machine.admit("d", attempt: nil, fresh: attempt("1")) == .draining)
        #expect(machine.liveKeys == [key("a", "1")])
        #expect(machine.admit("a", attempt: nil, fresh: attempt("2")) == .join(key("a", "1"), isAdmitted: false))
    }

    @Test(
        "a cancellation says what it found",
        arguments: [
            ("live", nil, Machine.Cancellation.cancelled), ("live", "1", .cancelled), ("live", "2", .otherAttempt),
            ("over", nil, .ended), ("over", "1", .ended), ("over", "2", .otherAttempt), ("none", nil, .unknown),
            ("none", "1", .unknown),
        ] as [(String, String?, Machine.Cancellation)])
    func cancellation(rollout: String, name: String?, expected: Machine.Cancellation) {
        var machine = machine()
        _ = start(&machine, "live", "1")
        _ = start(&machine, "over", "1")
        _ = machine.finish(key("over", "1"), .finished(), now: t0)
        let (keys, result) = machine.cancellation(rollout, attempt: name.map(attempt))
        #expect(result == expected)
        #expect(keys == (expected == .cancelled ? [key("live", "1")] : []))
    }

    @Test("receipts are bounded, and the least recently asked for goes first") func receipts() {
        var cache = ReceiptCache(capacity: 2)
        cache.insert(.finished("a"), for: key("a", "1"))
        cache.insert(.finished("b"), for: key("b", "1"))
        #expect(cache.status(of: key("a", "1"))?.message == "a")
        cache.insert(.finished("c"), for: key("c", "1"))
        #expect(cache.count == 2)
        #expect(cache.status(of: key("b", "1")) == nil)
        #expect(cache.latest(of: "a")?.status.message == "a")
        #expect(cache.latest(of: "b") == nil)
        for _ in 0..<1_000 { _ = cache.status(of: key("a", "1")) }
        cache.insert(.finished("d"), for: key("d", "1"))
        #expect(cache.status(of: key("a", "1")) != nil)
        #expect(cache.status(of: key("c", "1")) == nil)
    }

    @Test("at random, no more run than may and everyone ends once") func random() {
        let seed = UInt64.random(in: .min ... .max)
        print("seed \(seed)")
        var generator = SplitMix(state: seed)
        var machine = machine(running: 3, queued: 3, receipts: 50)
        var running: Set<Key> = []
        var reported: [Key: Int] = [:]
        var begun = 0
        for step in 0..<5_000 {
            let rollout = "r\(Int.random(in: 0..<6, using: &generator))"
            switch Int.random(in: 0..<4, using: &generator) {
            case 0, 1:
                let name = attempt("n\(step)")
                if case .begin(let key) = machine.admit(rollout, attempt: nil, fresh: name) {
                    begun += 1
                    switch machine.confirm(key, stopped: stopped, now: t0) {
                    case .run: running.insert(key)
                    case .queue: break
                    case .ended: reported[key, default: 0] += 1
                    }
                }
            case 2:
                guard let key = machine.liveKeys.sorted(by: { "\($0)" < "\($1)" }).randomElement(using: &generator)
                else {
                    continue
                }
                if case .ended = machine.stop(key, cancelled) { reported[key, default: 0] += 1 }
                if machine.giveUp(key) != nil { reported[key, default: 0] += 1 }
            default:
                guard let key = running.sorted(by: { "\($0)" < "\($1)" }).randomElement(using: &generator) else {
                    continue
                }
                let finish = machine.finish(key, .finished(), now: t0)
                running.remove(key)
                if finish.status != nil { reported[key, default: 0] += 1 }
                if let next = finish.next { running.insert(next) }
            }
            #expect(machine.runningCount == running.count)
            #expect(running.count <= 3)
        }
        while let key = running.first {
            let finish = machine.finish(key, .finished(), now: t0)
            running.remove(key)
            if finish.status != nil { reported[key, default: 0] += 1 }
            if let next = finish.next { running.insert(next) }
        }
        #expect(machine.liveCount == 0)
        #expect(reported.count == begun)
        #expect(reported.values.allSatisfy { $0 == 1 })
    }
}

private struct SplitMix: RandomNumberGenerator {
    var state: UInt64

    mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var z = state
        z = (z ^ (z >> 30)) &* 0xBF58_476D_1CE4_E5B9
        z = (z ^ (z >> 27)) &* 0x94D0_49BB_1331_11EB
        return z ^ (z >> 31)
    }
}
