// Part of Rollcall. SPDX-License-Identifier: Apache-2.0

/// A status line that was accepted for a rollout's newest attempt.
package struct StatusEvent: Sendable {
    /// Strictly rising in commit order.
    package var sequence: Int64
    package var rollout: RolloutKey
    /// The attempt's name, as the wire shows it.
    package var attempt: String?
    package var status: RolloutState.CurrentStatus
    /// The rollout's state right after, from which membership in an experiment is read.
    package var state: RolloutState

    package init(
        sequence: Int64, rollout: RolloutKey, attempt: String?, status: RolloutState.CurrentStatus, state: RolloutState
    ) {
        self.sequence = sequence
        self.rollout = rollout
        self.attempt = attempt
        self.status = status
        self.state = state
    }
}
