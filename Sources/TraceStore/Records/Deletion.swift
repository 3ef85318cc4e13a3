// Part of Rollcall. SPDX-License-Identifier: Apache-2.0

/// A rollout that is to go whole: its calls, its lines, its attempts and statuses. The receipt of one that there was not
/// is a duplicate's.
///
/// A line that other rollouts share stays as long as one of those is there.
package struct Deletion: Sendable, Hashable {
    package var rollout: RolloutKey
    /// Only if nothing has come of it since, in microseconds since 1970.
    package var silentSince: Int64?

    package init(_ rollout: RolloutKey, silentSince: Int64? = nil) {
        self.rollout = rollout
        self.silentSince = silentSince
    }
}
