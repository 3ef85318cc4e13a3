// Part of Rollcall. SPDX-License-Identifier: Apache-2.0

import EvalProtocol
import Synchronization

/// Counts what a rollout uses of its model, and lets no call begin for which its budget has no room.
///
/// The gateway does the same for every call, whoever makes it. This one comes first for those of the rollout's own model
/// client, so that the agent can be asked how to end before the gateway has spoken; and it works where a gateway knows
/// no budgets.
final class BudgetMeter: Sendable {
    private struct State {
        var spent = Spending()
        /// Calls that may still count.
        var underWay = 0
    }

    /// A call under way; it counts once it is answered.
    final class Call: Sendable {
        private let meter: BudgetMeter
        private let turn: Int

        fileprivate init(_ meter: BudgetMeter, turn: Int) {
            self.meter = meter
            self.turn = turn
        }

        func answered(_ completion: Completion) {
            meter.state.withLock { $0.spent.add(completion.usage, turn: turn) }
        }

        deinit { meter.state.withLock { $0.underWay -= 1 } }
    }

    private let budget: Budget
    /// The assistant's messages in the row, which are no turns of this rollout.
    private let givenAnswers: Int
    private let whenReached: @Sendable (Status) -> Void
    private let state = Mutex(State())

    init(_ budget: Budget, messages: [Message], whenReached: @escaping @Sendable (Status) -> Void) {
        self.budget = budget
        givenAnswers = Self.answers(messages)
        self.whenReached = whenReached
    }

    /// - Throws: ``ModelError`` when there is no room for another call.
    func begin(_ messages: [Message]) throws -> Call {
        let reached = state.withLock { state -> Budget.Limit? in
            var spent = state.spent
            spent.calls += state.underWay
            if let limit = budget.limit(reachedBy: spent) { return limit }
            state.underWay += 1
            return nil
        }
        guard let reached else { return Call(self, turn: Self.answers(messages) - givenAnswers + 1) }
        let error = Self.error(reached, bound: budget[reached] ?? 0)
        whenReached(error.status)
        throw error
    }

    private static func answers(_ messages: [Message]) -> Int { messages.count { $0.role == "assistant" } }

    private static func error(_ limit: Budget.Limit, bound: Int) -> ModelError {
        ModelError(
            limit.reason, "The rollout's budget of \(bound) \(limit.words) is used up; no further model call is made.",
            metadata: [("limit", limit.rawValue), ("bound", String(bound))])
    }
}
