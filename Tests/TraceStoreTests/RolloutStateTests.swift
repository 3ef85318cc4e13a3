// Part of Rollcall. SPDX-License-Identifier: Apache-2.0

import EvalProtocol
import Testing
import TraceStore

@Suite("TraceStore: attempts and statuses")
struct RolloutStateTests {
    /// One record, in the order they come.
    enum Step: Sendable, CustomStringConvertible {
        case line(StatusCode?, attempt: String? = nil, sentAt: Int64? = nil)
        case call(String? = nil)
        case register(String? = nil)
        case verdict(StatusCode, attempt: Int = 0)

        var description: String {
            switch self {
            case .line(let code, let attempt, let sentAt):
                "line(\(code?.name ?? "-"), \(attempt ?? "-"), \(sentAt.map(String.init) ?? "-"))"
            case .call(let attempt): "call(\(attempt ?? "-"))"
            case .register(let attempt): "register(\(attempt ?? "-"))"
            case .verdict(let code, let attempt): "verdict(\(code.name), \(attempt))"
            }
        }
    }

    struct Rule: Sendable, CustomTestStringConvertible {
        let name: String
        let steps: [Step]
        let attempts: [String]
        let status: StatusCode?
        /// What the last step's record is told: attempt, current, final, superseded.
        let attempt: Int?
        let current: Bool?
        let final: StatusCode?
        let superseded: Bool

        init(
            _ name: String, _ steps: [Step], attempts: [String] = [], status: StatusCode?, attempt: Int? = nil,
            current: Bool? = nil, final: StatusCode? = nil, superseded: Bool = false
        ) {
            self.name = name
            self.steps = steps
            self.attempts = attempts
            self.status = status
            self.attempt = attempt
            self.current = current
            self.final = final
            self.superseded = superseded
        }

        var testDescription: String { name }
    }

    static let rules: [Rule] = [
        // Without attempts.
        Rule("nothing but plain lines: no status", [.line(nil)], status: nil),
        Rule("latest wins: a terminal code follows RUNNING", [.line(.running), .line(.finished)], status: .finished),
        Rule(
            "latest wins: a later terminal code replaces an earlier one", [.line(.finished), .line(.internal)],
            status: .internal),
        Rule("RUNNING after a terminal code shows RUNNING", [.line(.internal), .line(.running)], status: .running),
        Rule(
            "a RUNNING sent before the terminal line does not undo it",
            [.line(.finished, sentAt: 20), .line(.running, sentAt: 10)], status: .finished),
        Rule(
            "a RUNNING sent at the same time does not undo it",
            [.line(.finished, sentAt: 20), .line(.running, sentAt: 20)], status: .finished),
        Rule(
            "a RUNNING sent later does", [.line(.finished, sentAt: 20), .line(.running, sentAt: 21)], status: .running),
        Rule(
            "without a time of one of them the order of arrival decides",
            [.line(.finished, sentAt: 20), .line(.running)], status: .running),
        Rule("a plain line changes nothing", [.line(.finished), .line(nil)], status: .finished),
        Rule("an untagged call opens no attempt", [.call(), .line(.finished)], status: .finished),
        // Verdicts of the gateway.
        Rule(
            "a verdict is final without an attempt, too", [.line(.running), .verdict(.unavailable), .line(.finished)],
            status: .unavailable, final: .unavailable, superseded: true),
        Rule(
            "RUNNING does not undo a verdict", [.verdict(.deadlineExceeded), .line(.running, sentAt: 99)],
            status: .deadlineExceeded, final: .deadlineExceeded, superseded: true),
        Rule(
            "a verdict comes too late after a terminal line", [.line(.finished), .verdict(.unavailable)],
            status: .finished),
        Rule(
            "a plain line after a verdict is told so", [.verdict(.unavailable), .line(nil)], status: .unavailable,
            final: .unavailable),
        Rule(
            "a call after a verdict is told so", [.verdict(.unavailable), .call()], status: .unavailable,
            final: .unavailable),
        Rule(
            "a verdict ends an attempt for good",
            [.line(.running, attempt: "a"), .verdict(.unavailable, attempt: 1), .line(.finished, attempt: "a")],
            attempts: ["a"], status: .unavailable, attempt: 1, current: true, final: .unavailable, superseded: true),
        Rule(
            "a verdict on an attempt that is not the newest any more changes nothing",
            [.line(.running, attempt: "a"), .line(.running, attempt: "b"), .verdict(.unavailable, attempt: 1)],
            attempts: ["a", "b"], status: .running, attempt: 2, current: true),
        Rule(
            "a new attempt runs after a verdict on the one before",
            [.line(.running, attempt: "a"), .verdict(.unavailable, attempt: 1), .line(.running, attempt: "b")],
            attempts: ["a", "b"], status: .running, attempt: 2, current: true),
        // Opening.
        Rule(
            "registration opens an attempt", [.register("a")], attempts: ["a"], status: nil, attempt: 1, current: true),
        Rule(
            "a RUNNING line opens an attempt", [.line(.running, attempt: "a")], attempts: ["a"], status: .running,
            attempt: 1, current: true),
        Rule("a tagged call opens an attempt", [.call("a")], attempts: ["a"], status: nil, attempt: 1, current: true),
        Rule(
            "attempts are numbered in the order they open",
            [.register("a"), .line(.running, attempt: "b"), .call("c")], attempts: ["a", "b", "c"], status: nil,
            attempt: 3, current: true),
        Rule(
            "registration without an attempt opens none", [.register()], status: nil),
        Rule(
            "the first attempt may be opened by any line", [.line(.internal, attempt: "a")], attempts: ["a"],
            status: .internal, attempt: 1, current: true, final: .internal),
        Rule(
            "another line that names an unseen attempt is superseded",
            [.line(.running, attempt: "b"), .line(.finished, attempt: "a")], attempts: ["b"], status: .running,
            current: false, superseded: true),
        Rule(
            "so is a plain one", [.line(.running, attempt: "b"), .line(nil, attempt: "a")], attempts: ["b"],
            status: .running, current: false, superseded: true),
        // Within an attempt.
        Rule(
            "the first terminal status is final",
            [.line(.running, attempt: "a"), .line(.finished, attempt: "a"), .line(.internal, attempt: "a")],
            attempts: ["a"], status: .finished, attempt: 1, current: true, final: .finished, superseded: true),
        Rule(
            "RUNNING after the terminal status of an attempt is ignored",
            [.line(.finished, attempt: "a"), .line(.running, attempt: "a", sentAt: 99)], attempts: ["a"],
            status: .finished, attempt: 1, current: true, final: .finished, superseded: true),
        Rule(
            "a plain line after it is told so and is not superseded",
            [.line(.finished, attempt: "a"), .line(nil, attempt: "a")], attempts: ["a"], status: .finished, attempt: 1,
            current: true, final: .finished),
        Rule(
            "checkpoints follow each other", [.line(.running, attempt: "a"), .line(.running, attempt: "a")],
            attempts: ["a"], status: .running, attempt: 1, current: true),
        // The newest attempt counts.
        Rule(
            "a new attempt hides the old one's end",
            [.line(.internal, attempt: "a"), .line(.running, attempt: "b")], attempts: ["a", "b"], status: .running,
            attempt: 2, current: true),
        Rule(
            "a registered attempt has no status yet", [.line(.internal, attempt: "a"), .register("b")],
            attempts: ["a", "b"], status: nil, attempt: 2, current: true),
        Rule(
            "an old attempt may still end and changes nothing",
            [.line(.running, attempt: "a"), .line(.running, attempt: "b"), .line(.cancelled, attempt: "a")],
            attempts: ["a", "b"], status: .running, attempt: 1, current: false, final: .cancelled),
        Rule(
            "a call of an old attempt stays its own", [.call("a"), .call("b"), .call("a")], attempts: ["a", "b"],
            status: nil, attempt: 1, current: false),
        // Untagged records of a rollout with attempts.
        Rule(
            "an untagged line belongs to the newest attempt",
            [.line(.running, attempt: "a"), .line(.finished)], attempts: ["a"], status: .finished, attempt: 1,
            current: true, final: .finished),
        Rule(
            "and obeys first-terminal-final",
            [.line(.finished, attempt: "a"), .line(.running)], attempts: ["a"], status: .finished, attempt: 1,
            current: true, final: .finished, superseded: true),
        Rule(
            "an untagged call belongs to the newest attempt", [.call("a"), .call("b"), .call()], attempts: ["a", "b"],
            status: nil, attempt: 2, current: true),
        Rule(
            "what came before the first attempt is not its status", [.line(.finished), .call("a")], attempts: ["a"],
            status: nil, attempt: 1, current: true),
    ]

    @Test("each rule holds", arguments: rules)
    func rule(_ rule: Rule) {
        var state = RolloutState()
        var effect = RolloutState.Effect()
        for (time, step) in rule.steps.enumerated() {
            switch step {
            case .line(let code, let attempt, let sentAt):
                let status = code.map {
                    RolloutState.CurrentStatus(code: $0, status: [], extras: nil, logID: Int64(time), sentAt: sentAt)
                }
                effect = state.receive(
                    line: attempt.flatMap { AttemptID($0) }, status: status, ids: RolloutIDs(), at: Int64(time))
            case .call(let attempt):
                effect = state.receive(call: attempt.flatMap { AttemptID($0) }, ids: RolloutIDs(), at: Int64(time))
            case .register(let attempt):
                effect =
                    state.register(RolloutIDs(), attempt: attempt.flatMap { AttemptID($0) }, at: Int64(time)) ?? effect
            case .verdict(let code, let attempt):
                let status = RolloutState.CurrentStatus(
                    code: code, status: [], extras: nil, logID: Int64(time), sentAt: nil, isVerdict: true)
                effect =
                    state.receive(verdict: status, inAttempt: attempt)
                    ?? RolloutState.Effect(
                        attempt: state.newestAttempt?.number, isCurrent: state.attempts.isEmpty ? nil : true)
            }
        }
        #expect(state.attempts.map(\.name) == rule.attempts)
        #expect(state.attempts.map(\.number) == Array(1...state.attempts.count + 1).dropLast())
        #expect(state.status?.code == rule.status)
        #expect(effect.attempt == rule.attempt)
        #expect(effect.isCurrent == rule.current)
        #expect(effect.final == rule.final)
        #expect(effect.isSuperseded == rule.superseded)
    }

    @Test("the newest mapping wins, and says what was before")
    func mapping() {
        var state = RolloutState()
        var effect = state.receive(line: nil, status: nil, ids: RolloutIDs(experimentID: "e1"), at: 1)
        #expect(effect.formerIDs == RolloutIDs())
        effect = state.receive(call: nil, ids: RolloutIDs(invocationID: "i", experimentID: "e2", runID: ""), at: 2)
        #expect(effect.formerIDs == RolloutIDs(experimentID: "e1"))
        #expect(state.ids == RolloutIDs(invocationID: "i", experimentID: "e2"))
        effect = state.receive(line: nil, status: nil, ids: RolloutIDs(experimentID: "e2"), at: 3)
        #expect(effect.formerIDs == nil)
    }

    @Test("a registration with other ids conflicts and changes nothing; the same one is welcome again")
    func registration() {
        var state = RolloutState()
        let ids = RolloutIDs(invocationID: "i", experimentID: "e", runID: "r", rowID: "w")
        #expect(state.register(ids, attempt: AttemptID("a"), at: 1)?.attempt == 1)
        let before = state
        #expect(state.register(RolloutIDs(experimentID: "other"), attempt: AttemptID("b"), at: 2) == nil)
        #expect(state == before)
        // Another mapping through a call does not make the registration another one.
        _ = state.receive(call: nil, ids: RolloutIDs(experimentID: "moved"), at: 3)
        #expect(state.register(ids, attempt: AttemptID("a"), at: 4)?.attempt == 1)
        #expect(state.ids.experimentID == "e")
    }

    @Test("attempts are bounded")
    func bounded() {
        var state = RolloutState()
        for number in 0..<RolloutState.maximumAttempts {
            _ = state.receive(call: AttemptID("a\(number)"), ids: RolloutIDs(), at: 0)
        }
        #expect(state.receive(call: AttemptID("more"), ids: RolloutIDs(), at: 0).isCurrent == false)
        #expect(state.register(RolloutIDs(), attempt: AttemptID("more"), at: 0) == nil)
        #expect(state.attempts.count == RolloutState.maximumAttempts)
    }

    @Test("of two registrations the smaller deadline and budget hold, for the attempts that open later, too")
    func terms() {
        var state = RolloutState()
        _ = state.register(
            RolloutIDs(), attempt: nil, deadline: 100, budget: Budget(calls: 5, promptTokens: 9), at: 1)
        _ = state.register(
            RolloutIDs(), attempt: nil, deadline: 200, budget: Budget(calls: 7, turns: 3), at: 2)
        let budget = Budget(calls: 5, turns: 3, promptTokens: 9)
        #expect(state.terms == RolloutTerms(deadline: 100, budget: budget))
        _ = state.receive(line: AttemptID("a"), status: running(3), lease: 50, ids: RolloutIDs(), at: 3)
        #expect(state.terms == RolloutTerms(deadline: 100, lease: 50, budget: budget, spent: Spending()))
        _ = state.register(RolloutIDs(), attempt: AttemptID("a"), deadline: 90, at: 4)
        #expect(state.terms.deadline == 90)
        // The lease was the environment's of the first attempt.
        _ = state.register(RolloutIDs(), attempt: AttemptID("b"), at: 5)
        #expect(state.terms == RolloutTerms(deadline: 100, budget: budget, spent: Spending()))
    }

    @Test("RUNNING without a lease leaves the lease, and lines of old attempts do not touch it") func leases() {
        var state = RolloutState()
        _ = state.receive(line: AttemptID("a"), status: running(1), lease: 50, ids: RolloutIDs(), at: 1)
        _ = state.receive(line: AttemptID("a"), status: running(2), ids: RolloutIDs(), at: 2)
        #expect(state.terms.lease == 50)
        _ = state.receive(line: nil, status: running(3), lease: 70, ids: RolloutIDs(), at: 3)
        #expect(state.terms.lease == 70)
        _ = state.receive(line: AttemptID("b"), status: running(4), ids: RolloutIDs(), at: 4)
        _ = state.receive(line: AttemptID("a"), status: running(5), lease: 90, ids: RolloutIDs(), at: 5)
        #expect(state.terms.lease == nil)
    }

    @Test("recorded calls are counted where there is a budget") func spending() {
        var state = RolloutState()
        state.spend(Usage(promptTokens: 1, completionTokens: 1), turn: 1, inAttempt: nil)
        #expect(state.terms.spent == nil)
        _ = state.register(RolloutIDs(), attempt: AttemptID("a"), budget: Budget(calls: 2), at: 1)
        state.terms.spent = Spending()
        state.spend(Usage(promptTokens: 3, completionTokens: 4), turn: 2, inAttempt: 1)
        state.spend(nil, turn: 1, inAttempt: 1)
        #expect(state.terms.spent?.calls == 2)
        #expect(state.terms.spent?.turns == 2)
        #expect(state.terms.spent?.promptTokens == 3)
        #expect(state.terms.spent?.completionTokens == 4)
    }

    private func running(_ time: Int64) -> RolloutState.CurrentStatus {
        RolloutState.CurrentStatus(code: .running, status: [], extras: nil, logID: time, sentAt: nil)
    }
}
