// Part of Rollcall. SPDX-License-Identifier: Apache-2.0

package import EvalProtocol

/// A rollout announced by its caller or its environment, with its attempt when that has a name.
package struct Registration: Sendable, Hashable {
    package var account: Account
    package var metadata: RolloutMetadata

    package init(account: Account, metadata: RolloutMetadata) {
        self.account = account
        self.metadata = metadata
    }
}
