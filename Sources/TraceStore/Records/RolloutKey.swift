// Part of Rollcall. SPDX-License-Identifier: Apache-2.0

/// A rollout within its account.
package struct RolloutKey: Sendable, Hashable {
    private let id: ExactText
    package let account: Account
    /// Made once: a call looks its rollout up a dozen times.
    private let hash: Int

    package init(account: Account, rolloutID: String) {
        self.account = account
        id = ExactText(rolloutID)
        hash = id.hashValue
    }

    package var rolloutID: String { id.text }

    package static func == (left: Self, right: Self) -> Bool {
        left.hash == right.hash && left.id == right.id && left.account == right.account
    }

    package func hash(into hasher: inout Hasher) { hasher.combine(hash) }
}
