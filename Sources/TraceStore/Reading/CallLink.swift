// Part of Rollcall. SPDX-License-Identifier: Apache-2.0

/// A recorded call's place in its rollout's conversations.
package struct CallLink: Sendable, Hashable {
    package var id: Int64
    /// The call whose conversation it continues, an earlier one.
    package var parent: Int64?

    package init(id: Int64, parent: Int64?) {
        self.id = id
        self.parent = parent
    }
}
