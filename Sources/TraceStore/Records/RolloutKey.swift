// Part of Rollcall. SPDX-License-Identifier: Apache-2.0

/// A rollout within its account.
package struct RolloutKey: Sendable, Hashable {
    private let id: ExactText
    package let account: Account

    package init(account: Account, rolloutID: String) {
        self.account = account
        id = ExactText(rolloutID)
    }

    package var rolloutID: String { id.text }
}
