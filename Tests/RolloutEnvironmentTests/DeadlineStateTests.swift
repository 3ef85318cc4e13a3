// Part of Rollcall. SPDX-License-Identifier: Apache-2.0

import EvalProtocol
import RolloutEnvironment
import Testing
import WireJSON

@Suite("RolloutEnvironment: deadlines in the state machine") struct DeadlineStateTests {
    typealias Machine = RolloutRegistry.StateMachine
    typealias Key = RolloutRegistry.Key

    let t0 = ContinuousClock.now
    let stopped = FailureReason.environmentStopped.status("stopped")

    private func key(_ rollout: String) -> Key { Key(rolloutID: rollout, attempt: AttemptID("1")!) }

    private func terms(deadline: Int? = nil, timeout: Int? = nil) -> ExecutionTerms {
        ExecutionTerms(
            deadline: deadline.map { ExecutionDeadline(at: t0 + .seconds($0), limit: .asked(.seconds($0))) },
            timeout: timeout.map { .seconds($0) })
    }

    private func start(
        _ machine: inout Machine, _ rollout: String, _ terms: ExecutionTerms, after seconds: Int = 0
    ) -> Machine.Confirmation {
        _ = machine.admit(rollout, attempt: AttemptID("1"), fresh: AttemptID("x")!, terms: terms)
        return machine.confirm(key(rollout), stopped: stopped, now: t0 + .seconds(seconds))
    }

    @Test(
        "an agent's deadline is the earlier of what was asked for, from /init on, and the timeout, from its start on",
        arguments: [
            (nil, nil, nil), (10, nil, 10), (nil, 10, 13), (10, 10, 10), (20, 10, 13), (13, 10, 13), (3600, 5, 8),
        ] as [(Int?, Int?, Int?)])
    func earlier(asked: Int?, timeout: Int?, expected: Int?) {
        var machine = Machine(maximumRunning: 1, maximumQueued: 0, maximumReceipts: 1)
        #expect(start(&machine, "a", terms(deadline: asked, timeout: timeout), after: 3) == .run(superseded: []))
        #expect(machine.deadline(of: key("a"))?.at == expected.map { t0 + .seconds($0) })
    }

    @Test(
        "it ends what runs, waits or is about to begin, once its time has come and not before",
        arguments: [(9, false), (10, true), (11, true)])
    func expiry(seconds: Int, isOver: Bool) {
        let now = t0 + .seconds(seconds)
        var machine = Machine(maximumRunning: 1, maximumQueued: 1, maximumReceipts: 9)
        _ = start(&machine, "running", terms(deadline: 10))
        _ = start(&machine, "waiting", terms(deadline: 10))
        for rollout in ["running", "waiting"] {
            let status = machine.expiry(of: key(rollout), now: now)
            #expect((status != nil) == isOver)
            #expect(status.map { $0.code == .deadlineExceeded && FailureReason($0) == .deadlinePassed } ?? true)
        }
        var other = Machine(maximumRunning: 1, maximumQueued: 0, maximumReceipts: 9)
        let confirmation = start(&other, "late", terms(deadline: 10), after: seconds)
        if case .ended(let status) = confirmation {
            #expect(isOver)
            #expect(status.code == .deadlineExceeded)
        } else {
            #expect(!isOver)
        }
    }

    @Test("one whose deadline passed while it waited never starts, and the next one does") func neverStarts() {
        var machine = Machine(maximumRunning: 1, maximumQueued: 4, maximumReceipts: 9)
        _ = start(&machine, "a", terms())
        _ = start(&machine, "b", terms(deadline: 5))
        _ = start(&machine, "c", terms(deadline: 6))
        _ = start(&machine, "d", terms(timeout: 2))
        let finish = machine.finish(key("a"), .finished(), now: t0 + .seconds(6))
        #expect(finish.next == key("d"))
        #expect(finish.expired.map(\.key) == [key("b"), key("c")])
        #expect(finish.expired.allSatisfy { $0.status.code == .deadlineExceeded })
        #expect(machine.deadline(of: key("d"))?.at == t0 + .seconds(8))
        #expect(machine.status(of: "b")?.status.code == .deadlineExceeded)
        #expect(machine.queuedCount == 0)
    }

    @Test(
        "the status says which limit it was",
        arguments: [(terms: (10, nil), "deadline_seconds", "10.0"), ((nil, 10), "timeout", "10.0")]
            as [(terms: (Int?, Int?), String, String)])
    func words(limits: (Int?, Int?), name: String, seconds: String) {
        var machine = Machine(maximumRunning: 1, maximumQueued: 0, maximumReceipts: 9)
        _ = start(&machine, "a", terms(deadline: limits.0, timeout: limits.1))
        let status = machine.expiry(of: key("a"), now: t0 + .seconds(99))
        #expect(status?.message.contains(name) == true)
        let info = status?.errorInfos.first?.metadata
        #expect(info?["limit"] == .string(name))
        #expect(info?["seconds"] == .string(seconds))
    }

    @Test("what was decided before the deadline stands") func firstDecision() {
        var machine = Machine(maximumRunning: 1, maximumQueued: 0, maximumReceipts: 9)
        _ = start(&machine, "a", terms(deadline: 10))
        let cancelled = FailureReason.cancelled.status("cancelled")
        _ = machine.stop(key("a"), cancelled)
        let late = machine.expiry(of: key("a"), now: t0 + .seconds(10))
        #expect(late.map { machine.stop(key("a"), $0) } == .nothing)
        #expect(machine.finish(key("a"), .finished(), now: t0 + .seconds(11)).status == cancelled)
    }

    @Test("the limits of metadata", arguments: [("0.5", 500), ("30", 30_000), ("null", nil)] as [(String, Int?)])
    func limits(text: String, milliseconds: Int?) throws {
        let metadata = RolloutMetadata(
            invocationID: "i", experimentID: "e", rolloutID: "r", runID: "u", rowID: "w",
            additional: ["deadline_seconds": try JSONValue(parsing: Array(text.utf8))])
        #expect(try RequestedLimits(metadata).deadline == milliseconds.map { .milliseconds($0) })
    }
}
