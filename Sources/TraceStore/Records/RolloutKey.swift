// Part of Rollcall. SPDX-License-Identifier: Apache-2.0

/// A rollout within its account.
package struct RolloutKey: Sendable, Hashable {
    package let account: Account
    package let rolloutID: String

    package init(account: Account, rolloutID: String) {
        self.account = account
        self.rolloutID = rolloutID
    }

    /// By the id's bytes: ids that only look the same are different rollouts.
    package static func == (left: Self, right: Self) -> Bool {
        left.account == right.account && left.rolloutID.utf8.elementsEqual(right.rolloutID.utf8)
    }

    package func hash(into hasher: inout Hasher) {
        hasher.combine(account)
        var id = rolloutID
        id.withUTF8 { hasher.combine(bytes: UnsafeRawBufferPointer($0)) }
    }
}
