// Part of Rollcall. SPDX-License-Identifier: Apache-2.0

/// Which rollouts: the same kind of id matches any of its values, different kinds must all match.
package struct RolloutFilter: Sendable, Hashable {
    package var experimentIDs: [String]
    package var runIDs: [String]
    package var invocationIDs: [String]
    package var rolloutIDs: [String]

    package init(
        experimentIDs: [String] = [], runIDs: [String] = [], invocationIDs: [String] = [], rolloutIDs: [String] = []
    ) {
        self.experimentIDs = experimentIDs
        self.runIDs = runIDs
        self.invocationIDs = invocationIDs
        self.rolloutIDs = rolloutIDs
    }

    package var isEmpty: Bool {
        experimentIDs.isEmpty && runIDs.isEmpty && invocationIDs.isEmpty && rolloutIDs.isEmpty
    }

    package func matches(_ rolloutID: String, _ ids: RolloutIDs) -> Bool {
        func holds(_ wanted: [String], _ id: String?) -> Bool {
            wanted.isEmpty || id.map(wanted.contains) ?? false
        }
        return holds(rolloutIDs, rolloutID) && holds(experimentIDs, ids.experimentID)
            && holds(runIDs, ids.runID) && holds(invocationIDs, ids.invocationID)
    }
}
