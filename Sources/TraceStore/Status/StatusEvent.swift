// Part of Rollcall. SPDX-License-Identifier: Apache-2.0

/// A status line that was accepted for a rollout's newest attempt, or the current status of a rollout whose ids
/// became known.
package struct StatusEvent: Sendable {
    /// Strictly rising in commit order; `nil` for a current status that answers a new subscription.
    package var sequence: Int64?
    package var rollout: RolloutKey
    /// The attempt's name, as the wire shows it.
    package var attempt: String?
    package var status: RolloutState.CurrentStatus
    /// The rollout's ids right after, from which membership in an experiment is read.
    package var ids: RolloutIDs
    /// The ids right before, when the event tells of new ids rather than of a new line.
    package var formerIDs: RolloutIDs?

    package init(
        sequence: Int64?, rollout: RolloutKey, attempt: String?, status: RolloutState.CurrentStatus, ids: RolloutIDs,
        formerIDs: RolloutIDs? = nil
    ) {
        self.sequence = sequence
        self.rollout = rollout
        self.attempt = attempt
        self.status = status
        self.ids = ids
        self.formerIDs = formerIDs
    }

    /// Whether a subscriber of `filter` is told. One that had been told under the former ids is not told again.
    package func concerns(_ filter: RolloutFilter, of account: Account) -> Bool {
        rollout.account == account && filter.matches(rollout.rolloutID, ids)
            && !(formerIDs.map { filter.matches(rollout.rolloutID, $0) } ?? false)
    }

    package var byteCount: Int { 256 + status.byteCount }
}
