// Part of Rollcall. SPDX-License-Identifier: Apache-2.0

import EvalProtocol
import Testing
import TraceStore

@Suite("TraceStore: deadlines, leases and budgets") struct WatchTableTests {
    /// One thing that happens to the rollout `r`.
    enum Step: Sendable {
        /// The store tells what holds: deadline and lease in seconds.
        case runs(attempt: Int = 0, deadline: Double? = nil, lease: Double? = nil, budget: Budget? = nil)
        case spends(calls: Int = 0, turns: Int = 0, prompt: Int = 0, completion: Int = 0)
        case ends(StatusCode, verdict: Bool = false)
        case line(attempt: String? = nil)
        case call(attempt: String? = nil, Outcome)
        case takeBack
        case deletion
        case passes(Double)
    }

    enum Outcome: Sendable, Equatable {
        case free, charged
        case refused(Budget.Limit, verdict: Bool)
    }

    struct Rule: Sendable, CustomTestStringConvertible {
        let name: String
        let steps: [Step]
        /// What the gateway decided in the end.
        let verdicts: [StatusCode]

        init(_ name: String, _ steps: [Step], verdicts: [StatusCode] = []) {
            (self.name, self.steps, self.verdicts) = (name, steps, verdicts)
        }

        var testDescription: String { name }
    }

    static let rules: [Rule] = [
        Rule("nothing is promised: nothing happens", [.runs(), .passes(1000)]),
        // Deadlines.
        Rule("at the deadline, and not before", [.runs(deadline: 5), .passes(4.9)]),
        Rule("a passed deadline ends the rollout", [.runs(deadline: 5), .passes(5.5)], verdicts: [.deadlineExceeded]),
        Rule(
            "lines do not move a deadline", [.runs(deadline: 5), .passes(4), .line(), .passes(1.5)],
            verdicts: [.deadlineExceeded]),
        Rule("what has ended has no deadline", [.runs(deadline: 5), .ends(.finished), .passes(9)]),
        Rule("what is deleted has none either", [.runs(deadline: 5), .deletion, .passes(9)]),
        Rule(
            "a smaller deadline takes the place of a larger one",
            [.runs(deadline: 100), .runs(deadline: 2), .passes(3)],
            verdicts: [.deadlineExceeded]),
        Rule(
            "a far deadline is met as well", [.runs(deadline: 100), .passes(99), .passes(2)],
            verdicts: [.deadlineExceeded]),
        Rule(
            "a verdict that is not stored is given again", [.runs(deadline: 1), .passes(1.5), .passes(1.5)],
            verdicts: [.deadlineExceeded, .deadlineExceeded]),
        Rule(
            "one that is stored is not",
            [.runs(deadline: 1), .passes(1.5), .ends(.deadlineExceeded, verdict: true), .passes(5)],
            verdicts: [.deadlineExceeded]),
        // Leases.
        Rule("a lease lasts its time", [.runs(lease: 3), .passes(2.9)]),
        Rule(
            "a lease that is not renewed ends the rollout", [.runs(lease: 3), .passes(3.5)], verdicts: [.unavailable]),
        Rule("any line renews it", [.runs(lease: 3), .passes(2), .line(), .passes(2), .line(), .passes(2)]),
        Rule("any call renews it", [.runs(lease: 3), .passes(2), .call(.free), .passes(2)]),
        Rule(
            "lines and calls of another attempt do not",
            [.runs(attempt: 2, lease: 3), .passes(2), .line(attempt: "a1"), .call(attempt: "a1", .free), .passes(2)],
            verdicts: [.unavailable]),
        Rule(
            "those of the newest attempt do",
            [.runs(attempt: 2, lease: 3), .passes(2), .line(attempt: "a2"), .passes(2)]),
        Rule(
            "another length begins anew", [.runs(lease: 3), .passes(2), .runs(lease: 4), .passes(3.5)]),
        Rule(
            "a new attempt begins without one",
            [.runs(attempt: 1, lease: 3), .runs(attempt: 2, deadline: 50), .passes(9)]),
        Rule(
            "a deadline before the lease comes first", [.runs(deadline: 1, lease: 3), .passes(1.5)],
            verdicts: [.deadlineExceeded]),
        // Budgets.
        Rule(
            "a budget of calls lets as many through",
            [.runs(budget: Budget(calls: 2)), .call(.charged), .call(.charged)]),
        Rule(
            "and refuses the next one, once with a verdict",
            [
                .runs(budget: Budget(calls: 1)), .call(.charged), .spends(calls: 1),
                .call(.refused(.calls, verdict: true)),
                .call(.refused(.calls, verdict: false)),
            ]),
        Rule(
            "calls under way count",
            [.runs(budget: Budget(calls: 1)), .call(.charged), .call(.refused(.calls, verdict: true))]),
        Rule(
            "a call that failed does not",
            [.runs(budget: Budget(calls: 1)), .call(.charged), .takeBack, .call(.charged)]),
        Rule(
            "a recorded one is not taken back",
            [
                .runs(budget: Budget(calls: 1)), .call(.charged), .spends(calls: 1), .takeBack,
                .call(.refused(.calls, verdict: true)),
            ]),
        Rule(
            "tokens and turns are those of recorded calls",
            [
                .runs(budget: Budget(turns: 3, completionTokens: 10)), .call(.charged),
                .spends(calls: 1, turns: 1, completion: 9), .call(.charged),
                .spends(calls: 2, turns: 2, completion: 10), .call(.refused(.completionTokens, verdict: true)),
            ]),
        Rule(
            "turns",
            [
                .runs(budget: Budget(turns: 2)), .spends(calls: 5, turns: 2), .call(.refused(.turns, verdict: true)),
            ]),
        Rule(
            "prompt tokens",
            [
                .runs(budget: Budget(promptTokens: 7)), .spends(calls: 1, prompt: 8),
                .call(.refused(.promptTokens, verdict: true)),
            ]),
        Rule(
            "calls are refused on after the verdict is stored",
            [
                .runs(attempt: 1, budget: Budget(calls: 1)), .call(.charged), .spends(calls: 1),
                .call(.refused(.calls, verdict: true)), .ends(.resourceExhausted, verdict: true),
                .call(.refused(.calls, verdict: false)), .call(attempt: "a1", .refused(.calls, verdict: false)),
                .call(attempt: "a0", .free),
            ]),
        Rule(
            "and from a restart on, when only the store knows",
            [
                .runs(budget: Budget(calls: 1)), .spends(calls: 1), .ends(.resourceExhausted, verdict: true),
                .call(.refused(.calls, verdict: false)),
            ]),
        Rule(
            "a new attempt has a budget of its own",
            [
                .runs(attempt: 1, budget: Budget(calls: 1)), .call(.charged), .call(.refused(.calls, verdict: true)),
                .ends(.resourceExhausted, verdict: true), .runs(attempt: 2, budget: Budget(calls: 1)), .call(.charged),
            ]),
        Rule(
            "an agent that ended by itself may go on calling",
            [.runs(budget: Budget(calls: 1)), .call(.charged), .spends(calls: 1), .ends(.finished), .call(.free)]),
    ]

    private let rollout = RolloutKey(account: .default, rolloutID: "r")

    @Test("each rule holds", arguments: rules) func rule(_ rule: Rule) {
        var table = WatchTable()
        var state = RolloutState()
        var wall: Int64 = 1_000_000_000
        var verdicts: [StatusCode] = []
        for step in rule.steps {
            switch step {
            case .runs(let attempt, let deadline, let lease, let budget):
                state = RolloutState()
                let terms = RolloutTerms(
                    deadline: deadline.map { wall + Int64($0 * 1e6) }, lease: lease.map { Int64($0 * 1e6) },
                    budget: budget, spent: budget == nil ? nil : Spending())
                if attempt == 0 { state.untaggedTerms = terms }
                for number in 1..<attempt + 1 {
                    state.attempts.append(
                        RolloutState.Attempt(
                            number: number, name: "a\(number)", openedAt: 0,
                            terms: number == attempt ? terms : RolloutTerms()))
                }
                table.update(rollout, state, wallTime: wall)
            case .spends(let calls, let turns, let prompt, let completion):
                var spent = Spending()
                (spent.calls, spent.turns) = (calls, turns)
                (spent.promptTokens, spent.completionTokens) = (prompt, completion)
                state.terms.spent = spent
                table.update(rollout, state, wallTime: wall)
            case .ends(let code, let isVerdict):
                let status = RolloutState.CurrentStatus(
                    code: code, status: [], extras: nil, logID: 1, sentAt: nil, isVerdict: isVerdict)
                if state.attempts.isEmpty {
                    state.untaggedStatus = status
                } else {
                    state.attempts[state.attempts.count - 1].status = status
                }
                table.update(rollout, state, wallTime: wall)
            case .line(let attempt): table.renew(rollout, attempt: attempt.flatMap { AttemptID($0) })
            case .call(let attempt, let expected):
                let outcome: Outcome =
                    switch table.admit(rollout, attempt: attempt.flatMap { AttemptID($0) }) {
                    case .free: .free
                    case .charged: .charged
                    case .refused(let exhaustion, let verdict): .refused(exhaustion.limit, verdict: verdict != nil)
                    }
                #expect(outcome == expected)
            case .takeBack: table.takeBack(rollout, attempt: state.attempts.count)
            case .deletion: table.forget(rollout)
            case .passes(let seconds):
                for _ in 0..<Int((seconds * 10).rounded()) {
                    wall += 100_000
                    verdicts += table.advance(by: 100_000).map(\.reason.code)
                }
            }
        }
        #expect(verdicts == rule.verdicts)
    }

    @Test("after a start a lease has its full length again, and a passed deadline ten seconds") func grace() {
        var table = WatchTable()
        var state = RolloutState()
        state.untaggedTerms = RolloutTerms(deadline: 1, lease: 60_000_000)
        table.update(rollout, state, wallTime: 1_000_000_000, grace: 10_000_000)
        #expect(table.advance(by: 9_900_000).isEmpty)
        #expect(table.advance(by: 600_000).map(\.cause) == [.deadline])
        state.untaggedTerms = RolloutTerms(lease: 3_000_000)
        table.update(rollout, state, wallTime: 1_000_000_000, grace: 10_000_000)
        #expect(table.advance(by: 2_900_000).isEmpty)
        #expect(table.advance(by: 600_000).map(\.cause) == [.lease(3_000_000)])
    }

    @Test("many are watched, each ends in its time, and nothing is kept of what has ended") func many() {
        var table = WatchTable()
        for number in 0..<1000 {
            var state = RolloutState()
            state.untaggedTerms = RolloutTerms(deadline: Int64(number + 1) * 100_000)
            table.update(RolloutKey(account: .default, rolloutID: "r\(number)"), state, wallTime: 0)
        }
        #expect(table.count == 1000)
        var ended: [String] = []
        for _ in 0..<600 {
            let verdicts = table.advance(by: 200_000)
            for verdict in verdicts {
                ended.append(verdict.rollout.rolloutID)
                table.forget(verdict.rollout)
            }
        }
        #expect(ended == (0..<1000).map { "r\($0)" })
        #expect(table.isEmpty)
    }

    @Test("rollouts with neither a deadline nor a lease are counted for themselves") func endless() {
        var table = WatchTable()
        func update(_ terms: RolloutTerms) {
            var state = RolloutState()
            state.untaggedTerms = terms
            table.update(rollout, state, wallTime: 0)
        }
        update(RolloutTerms(budget: Budget(calls: 1), spent: Spending()))
        #expect(table.endlessCount == 1)
        update(RolloutTerms(budget: Budget(calls: 2), spent: Spending()))
        #expect(table.endlessCount == 1)
        update(RolloutTerms(deadline: 5, budget: Budget(calls: 2), spent: Spending()))
        #expect(table.endlessCount == 0)
        update(RolloutTerms(capture: .tokens))
        #expect(table.endlessCount == 1)
        table.forget(rollout)
        #expect(table.endlessCount == 0)
        #expect(table.isEmpty)
    }
}
