// Part of Rollcall. SPDX-License-Identifier: Apache-2.0

package import EvalProtocol

/// What an attempt was registered with, and what its environment promised.
package struct RolloutTerms: Sendable, Hashable {
    /// When the gateway ends it, in microseconds since 1970.
    package var deadline: Int64?
    /// The time within which another line or call is to come, in microseconds.
    package var lease: Int64?
    package var budget: Budget?
    /// What is captured of its calls, when somebody has said so.
    package var capture: Capture?
    /// What has been used of the budget; kept for attempts that have one.
    package var spent: Spending?

    package init(
        deadline: Int64? = nil, lease: Int64? = nil, budget: Budget? = nil, capture: Capture? = nil,
        spent: Spending? = nil
    ) {
        self.deadline = deadline
        self.lease = lease
        self.budget = budget
        self.capture = capture
        self.spent = spent
    }

    /// Whether the gateway has to watch over it while it runs.
    package var areWatched: Bool { deadline != nil || lease != nil || budget != nil || capture != nil }

    /// Whether nothing of it ends a rollout whose environment and caller are gone.
    var isEndless: Bool { deadline == nil && lease == nil }

    /// The smaller deadline and budget hold, and the most that anybody wants captured.
    mutating func tighten(deadline: Int64?, budget: Budget?, capture: Capture?) {
        if let deadline { self.deadline = min(self.deadline ?? deadline, deadline) }
        if let budget, !budget.isEmpty { self.budget = self.budget.map { $0.tightened(by: budget) } ?? budget }
        if let capture { self.capture = max(self.capture ?? capture, capture) }
    }

    /// What holds for an attempt that opens: all but the lease, which is its environment's, and nothing is spent.
    var inherited: RolloutTerms {
        RolloutTerms(deadline: deadline, budget: budget, capture: capture, spent: budget == nil ? nil : Spending())
    }
}
