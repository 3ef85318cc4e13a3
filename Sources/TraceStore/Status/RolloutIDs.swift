// Part of Rollcall. SPDX-License-Identifier: Apache-2.0

package import EvalProtocol

/// What a rollout belongs to, as far as it is known. An empty id is an unknown one.
package struct RolloutIDs: Sendable, Hashable {
    package var invocationID: String?
    package var experimentID: String?
    package var runID: String?
    package var rowID: String?

    package init(
        invocationID: String? = nil, experimentID: String? = nil, runID: String? = nil, rowID: String? = nil
    ) {
        self.invocationID = Self.known(invocationID)
        self.experimentID = Self.known(experimentID)
        self.runID = Self.known(runID)
        self.rowID = Self.known(rowID)
    }

    package init(_ metadata: RolloutMetadata) {
        self.init(
            invocationID: metadata.invocationID, experimentID: metadata.experimentID, runID: metadata.runID,
            rowID: metadata.rowID)
    }

    /// Whether all is known here that `other` knows, and is the same.
    package func has(_ other: RolloutIDs) -> Bool {
        func has(_ id: String?, _ other: String?) -> Bool { other == nil || id == other }
        return has(invocationID, other.invocationID) && has(experimentID, other.experimentID)
            && has(runID, other.runID) && has(rowID, other.rowID)
    }

    /// Takes over what `newer` knows.
    package mutating func merge(_ newer: RolloutIDs) {
        invocationID = newer.invocationID ?? invocationID
        experimentID = newer.experimentID ?? experimentID
        runID = newer.runID ?? runID
        rowID = newer.rowID ?? rowID
    }

    /// The tags of the gateway's own lines about the rollout that has these ids.
    package func tags(of rolloutID: String) -> [String] {
        [("rollout_id", rolloutID), ("experiment_id", experimentID), ("run_id", runID)]
            .compactMap { name, id in id.map { "\(name):\($0)" } }
    }

    private static func known(_ id: String?) -> String? { id.flatMap { $0.isEmpty ? nil : $0 } }
}
