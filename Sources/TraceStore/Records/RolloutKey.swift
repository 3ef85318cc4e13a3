// Part of Rollcall. SPDX-License-Identifier: Apache-2.0

/// A rollout within its account.
package struct RolloutKey: Sendable, Hashable {
    package let account: Account
    package let rolloutID: String

    package init(account: Account, rolloutID: String) {
        self.account = account
        self.rolloutID = rolloutID
    }
}
