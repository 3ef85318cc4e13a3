// Part of Rollcall. SPDX-License-Identifier: Apache-2.0

/// What an attempt was registered with, and what its environment promised.
package struct RolloutTerms: Sendable, Hashable {
    /// When the gateway ends it, in microseconds since 1970.
    package var deadline: Int64?
    /// The time within which another line or call is to come, in microseconds.
    package var lease: Int64?
    package var budget: Budget?
    /// What has been used of the budget; kept for attempts that have one.
    package var spent: Spending?

    package init(deadline: Int64? = nil, lease: Int64? = nil, budget: Budget? = nil, spent: Spending? = nil) {
        self.deadline = deadline
        self.lease = lease
        self.budget = budget
        self.spent = spent
    }

    /// Whether the gateway has to watch over it while it runs.
    package var areWatched: Bool { deadline != nil || lease != nil || budget != nil }

    /// The smaller deadline and budget hold.
    mutating func tighten(deadline: Int64?, budget: Budget?) {
        if let deadline { self.deadline = min(self.deadline ?? deadline, deadline) }
        if let budget, !budget.isEmpty { self.budget = self.budget.map { $0.tightened(by: budget) } ?? budget }
    }

    /// What holds for an attempt that opens: all but the lease, which is its environment's, and nothing is spent.
    var inherited: RolloutTerms {
        RolloutTerms(deadline: deadline, budget: budget, spent: budget == nil ? nil : Spending())
    }
}
