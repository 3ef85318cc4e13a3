// Part of Rollcall. SPDX-License-Identifier: Apache-2.0

package import EvalProtocol

/// A rollout announced by its caller or its environment, with its attempt when that has a name.
package struct Registration: Sendable, Hashable {
    package var account: Account
    package var metadata: RolloutMetadata
    /// How long it may take from now on, in microseconds.
    package var timeLimit: Int64?
    package var budget: Budget?
    package var capture: Capture?

    /// What the gateway has to watch over the rollout for, if anything.
    var terms: RolloutTerms? {
        let terms = RolloutTerms(deadline: timeLimit, budget: budget, capture: capture)
        return terms.areWatched ? terms : nil
    }

    package init(
        account: Account, metadata: RolloutMetadata, timeLimit: Int64? = nil, budget: Budget? = nil,
        capture: Capture? = nil
    ) {
        self.account = account
        self.metadata = metadata
        self.timeLimit = timeLimit
        self.budget = budget
        self.capture = capture
    }
}
