// Part of Rollcall. SPDX-License-Identifier: Apache-2.0

import EvalProtocol
import RolloutProcessor
import Testing
import WireJSON

@Suite("RolloutProcessor: a rollout's lifecycle")
struct RolloutLifecycleTests {
    private typealias Lifecycle = RolloutLifecycle

    private func makeLifecycle(attempts: Int = 3) -> RolloutLifecycle {
        RolloutLifecycle(
            rolloutID: "first", policy: RetryPolicy(attempts: attempts, initialBackoff: .seconds(1)),
            timeout: .seconds(60), makeRolloutID: { "fresh" })
    }

    private func triggered(_ registration: RolloutLifecycle.Registration = .taken(number: 1)) -> RolloutLifecycle {
        var lifecycle = makeLifecycle()
        #expect(lifecycle.handle(.start) == [.register])
        #expect(lifecycle.handle(.registration(registration)) == [.trigger])
        return lifecycle
    }

    private func ending(_ actions: [RolloutLifecycle.Action]) -> RolloutEnding? {
        guard case .end(let ending)? = actions.last else { return nil }
        return ending
    }

    @Test("a terminal status ends the rollout, with or without an answer of /init before it")
    func terminalStatus() {
        for answered in [true, false] {
            var lifecycle = triggered()
            if answered { #expect(lifecycle.handle(.answered(code: 200, text: "", retryAfter: nil)).isEmpty) }
            #expect(lifecycle.handle(.status(.running, extras: nil)).isEmpty)
            let ended = ending(lifecycle.handle(.status(.finished(), extras: ["k": 1])))
            #expect(ended?.status == .finished())
            #expect(ended?.extras == ["k": 1])
            #expect(ended?.tries == 1)
            #expect(lifecycle.handle(.deadline).isEmpty)
        }
    }

    @Test("codes 8 and 14 are tried again as a new attempt, all others end the rollout", arguments: StatusCode.allCases)
    func retriedCodes(_ code: StatusCode) {
        guard code.isTerminal else { return }
        var lifecycle = triggered()
        let before = lifecycle.execution
        let actions = lifecycle.handle(.status(Status(code: code, message: "m"), extras: nil))
        if code == .unavailable || code == .resourceExhausted {
            #expect(actions == [.wait(.seconds(1))])
            #expect(lifecycle.execution.rolloutID == before.rolloutID)
            #expect(lifecycle.execution.attempt != before.attempt)
            #expect(lifecycle.handle(.waited) == [.register])
        } else {
            #expect(ending(actions)?.status.code == code)
        }
    }

    @Test("without attempts a retry is another rollout")
    func freshRollout() {
        var lifecycle = triggered(.unsupported)
        #expect(lifecycle.execution.attempt == nil)
        #expect(lifecycle.handle(.status(.unavailable("gone"), extras: nil)) == [.wait(.seconds(1))])
        #expect(lifecycle.execution.rolloutID == "fresh")
    }

    @Test("a used-up budget is not tried again")
    func budget() {
        var lifecycle = triggered()
        let status = FailureReason.budgetTurns.status("no more turns")
        #expect(ending(lifecycle.handle(.status(status, extras: nil)))?.status == status)
    }

    @Test("what happens to an earlier execution changes nothing")
    func lateEvents() {
        var lifecycle = triggered()
        let old = lifecycle.execution.serial
        _ = lifecycle.handle(.status(.unavailable("gone"), extras: nil), of: old)
        _ = lifecycle.handle(.waited)
        _ = lifecycle.handle(.registration(.taken(number: 2)))
        #expect(lifecycle.handle(.status(.error("late"), extras: nil), of: old).isEmpty)
        #expect(lifecycle.handle(.answered(code: 400, text: "late", retryAfter: nil), of: old).isEmpty)
        #expect(ending(lifecycle.handle(.status(.finished(), extras: nil)))?.tries == 2)
    }

    @Test("three attempts in all, then the last status stands")
    func attemptsRunOut() {
        var lifecycle = triggered()
        for _ in 0..<2 {
            _ = lifecycle.handle(.status(.unavailable("busy"), extras: nil))
            _ = lifecycle.handle(.waited)
            _ = lifecycle.handle(.registration(.taken(number: nil)))
        }
        let ended = ending(lifecycle.handle(.status(.unavailable("busy"), extras: nil)))
        #expect(ended?.status == .unavailable("busy"))
        #expect(ended?.tries == 3)
    }

    @Test("an error answer of /init asks for the status first, which says more")
    func statusBeatsErrorAnswer() {
        var lifecycle = triggered()
        #expect(lifecycle.handle(.answered(code: 429, text: "slow down", retryAfter: nil)) == [.check])
        let status = Status.invalidArgument("no such tool")
        #expect(ending(lifecycle.handle(.checked(status, extras: nil)))?.status == status)
    }

    @Test(
        "a 4xx answer of /init ends the rollout with its code and text",
        arguments: [(400, 3), (401, 16), (403, 7), (404, 5), (408, 4), (409, 13), (422, 3), (429, 8)])
    func refused(_ http: Int, _ code: Int) {
        var lifecycle = triggered()
        _ = lifecycle.handle(.answered(code: http, text: "the reason", retryAfter: nil))
        let status = ending(lifecycle.handle(.checked(nil, extras: nil)))?.status
        #expect(status?.code.rawValue == code)
        #expect(status?.message == "The environment refused /init (HTTP \(http)): the reason")
        #expect(status?.errorInfos.first?.reason == "INIT_REFUSED")
    }

    @Test("a 5xx answer of /init is a new attempt, after Retry-After where it is longer")
    func serverError() {
        var lifecycle = triggered()
        let before = lifecycle.execution
        _ = lifecycle.handle(.answered(code: 503, text: "full", retryAfter: .seconds(7)))
        #expect(lifecycle.handle(.checked(nil, extras: nil)) == [.wait(.seconds(7))])
        #expect(lifecycle.execution.attempt != before.attempt)
        #expect(lifecycle.execution.rolloutID == before.rolloutID)
    }

    @Test("a lost /init repeats the same attempt")
    func lostRepeats() {
        var lifecycle = triggered()
        let before = lifecycle.execution
        #expect(lifecycle.handle(.lost(reason: "reset", sent: true)) == [.wait(.seconds(1))])
        #expect(lifecycle.execution == before)
    }

    @Test("while a lost /init is about to be repeated, its status counts, and so does the deadline")
    func lostButRunning() {
        for isRegistering in [false, true] {
            var lifecycle = triggered()
            _ = lifecycle.handle(.lost(reason: "reset", sent: true))
            if isRegistering { #expect(lifecycle.handle(.waited) == [.register]) }
            var other = lifecycle
            #expect(ending(lifecycle.handle(.status(.finished(), extras: nil)))?.status == .finished())
            #expect(other.handle(.deadline) == [.check])
            #expect(other.handle(.checked(nil, extras: nil)).first == .cancel(other.execution))
        }
    }

    @Test("a lost /init is another rollout where attempts are not told apart, and the old one is cancelled")
    func lostElsewhere() {
        var lifecycle = triggered(.unsupported)
        let before = lifecycle.execution
        #expect(lifecycle.handle(.lost(reason: "reset", sent: true)) == [.cancel(before), .wait(.seconds(1))])
        #expect(lifecycle.execution.rolloutID == "fresh")

        lifecycle = triggered(.unsupported)
        #expect(lifecycle.handle(.lost(reason: "refused", sent: false)) == [.wait(.seconds(1))])
        #expect(lifecycle.execution.rolloutID == "first")
    }

    @Test("an environment that cannot be reached ends as UNAVAILABLE with the reason")
    func unreachable() {
        var lifecycle = triggered()
        for _ in 0..<2 {
            _ = lifecycle.handle(.lost(reason: "Connection refused", sent: false))
            #expect(lifecycle.handle(.waited) == [.register])
            _ = lifecycle.handle(.registration(.taken(number: 1)))
        }
        #expect(lifecycle.handle(.lost(reason: "Connection refused", sent: false)) == [.check])
        let actions = lifecycle.handle(.checked(nil, extras: nil))
        #expect(actions.count == 1)
        #expect(ending(actions)?.status.code == .unavailable)
        #expect(ending(actions)?.status.message.contains("Connection refused") == true)
    }

    @Test("the deadline looks once more, then cancels and ends")
    func deadline() {
        var lifecycle = triggered()
        _ = lifecycle.handle(.answered(code: 200, text: "", retryAfter: nil))
        _ = lifecycle.handle(.status(.running, extras: nil))
        #expect(lifecycle.handle(.deadline) == [.check])
        let actions = lifecycle.handle(.checked(nil, extras: nil))
        #expect(actions.first == .cancel(lifecycle.execution))
        let status = ending(actions)?.status
        #expect(status?.code == .deadlineExceeded)
        #expect(status?.message.contains("60 s") == true)
        #expect(status?.message.contains("RUNNING") == true)
    }

    @Test("a deadline before anything was sent ends without a look and without a cancel")
    func deadlineBeforeTrigger() {
        var lifecycle = makeLifecycle()
        _ = lifecycle.handle(.start)
        let actions = lifecycle.handle(.deadline)
        #expect(actions.count == 1)
        #expect(ending(actions)?.status.code == .deadlineExceeded)
    }

    @Test("a status that the last look finds at the deadline counts")
    func deadlineFindsStatus() {
        var lifecycle = triggered()
        _ = lifecycle.handle(.deadline)
        #expect(lifecycle.handle(.checked(.finished(), extras: nil)).count == 1)
    }

    @Test("after the deadline nothing is tried again")
    func noRetryAfterDeadline() {
        var lifecycle = triggered()
        _ = lifecycle.handle(.answered(code: 503, text: "", retryAfter: nil))
        #expect(lifecycle.handle(.deadline).isEmpty)
        #expect(ending(lifecycle.handle(.checked(nil, extras: nil)))?.status.code == .unavailable)
    }

    @Test("a gateway that cannot register now is asked again, one that refuses ends the rollout")
    func registration() {
        var lifecycle = makeLifecycle(attempts: 2)
        _ = lifecycle.handle(.start)
        #expect(lifecycle.handle(.registration(.failed("HTTP 503"))) == [.wait(.seconds(1))])
        #expect(lifecycle.handle(.waited) == [.register])
        #expect(ending(lifecycle.handle(.registration(.failed("HTTP 503"))))?.status.code == .unavailable)

        lifecycle = makeLifecycle()
        _ = lifecycle.handle(.start)
        let refusal = Status.unauthenticated("no key")
        #expect(ending(lifecycle.handle(.registration(.refused(refusal))))?.status == refusal)
    }

    @Test("a rollout id that another rollout has is replaced")
    func conflict() {
        var lifecycle = makeLifecycle()
        _ = lifecycle.handle(.start)
        #expect(lifecycle.handle(.registration(.conflict)) == [.register])
        #expect(lifecycle.execution.rolloutID == "fresh")
    }

    @Test("the backoff doubles, is spread, and has an upper bound")
    func backoff() {
        let policy = RetryPolicy(initialBackoff: .seconds(1), maximumBackoff: .seconds(5))
        #expect(policy.backoff(afterTries: 1, random: 0, retryAfter: nil) == .milliseconds(500))
        #expect(policy.backoff(afterTries: 1, random: 1, retryAfter: nil) == .milliseconds(1_500))
        #expect(policy.backoff(afterTries: 2, random: 0.5, retryAfter: nil) == .seconds(2))
        #expect(policy.backoff(afterTries: 9, random: 0.5, retryAfter: nil) == .seconds(5))
        #expect(policy.backoff(afterTries: 1, random: 0.5, retryAfter: .seconds(9)) == .seconds(9))
    }
}
