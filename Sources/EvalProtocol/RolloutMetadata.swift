// Part of Rollcall. SPDX-License-Identifier: Apache-2.0

public import WireJSON

/// The five ids that correlate everything about one rollout, and what else travels with them in `/init`.
public struct RolloutMetadata: Sendable, Hashable {
    public var invocationID: String
    public var experimentID: String
    public var rolloutID: String
    public var runID: String
    public var rowID: String
    /// Which execution of the rollout this is, when the caller has named it.
    public var attempt: AttemptID?
    /// Members of the object that are none of the above, kept as they came.
    public var additional: JSONObject

    public init(
        invocationID: String, experimentID: String, rolloutID: String, runID: String, rowID: String,
        attempt: AttemptID? = nil, additional: JSONObject = [:]
    ) {
        self.invocationID = invocationID
        self.experimentID = experimentID
        self.rolloutID = rolloutID
        self.runID = runID
        self.rowID = rowID
        self.attempt = attempt
        self.additional = additional
    }
}

extension RolloutMetadata {
    /// The ids with their names in paths, tags and JSON, in the order of the tagged path.
    public var ids: [(name: String, id: String)] {
        [
            ("rollout_id", rolloutID), ("invocation_id", invocationID), ("experiment_id", experimentID),
            ("run_id", runID), ("row_id", rowID),
        ]
    }

    /// The ids as trace tags, `name:value`.
    public var tags: [String] { ids.map { "\($0.name):\($0.id)" } }

    /// The tags of this rollout's log lines: the rollout first, then experiment and run.
    public var logTags: [String] {
        ["rollout_id:\(rolloutID)", "experiment_id:\(experimentID)", "run_id:\(runID)"]
    }
}

extension RolloutMetadata: JSONConvertible {
    private static let knownKeys: Set<String> = [
        "invocation_id", "experiment_id", "rollout_id", "run_id", "row_id", "attempt",
    ]

    public init(from reader: JSONReader) throws(JSONDecodingError) {
        let object = try reader.object()
        invocationID = try reader["invocation_id"].string()
        experimentID = try reader["experiment_id"].string()
        rolloutID = try reader["rollout_id"].nonEmptyString()
        runID = try reader["run_id"].string()
        rowID = try reader["row_id"].string()
        attempt = try reader["attempt"].present?.decode()
        additional = object.removing(Self.knownKeys)
    }

    public var json: JSONValue {
        var object: JSONObject = [
            "invocation_id": .string(invocationID), "experiment_id": .string(experimentID),
            "rollout_id": .string(rolloutID), "run_id": .string(runID), "row_id": .string(rowID),
        ]
        if let attempt { object.append("attempt", attempt.json) }
        for member in additional.members { object.append(member.key.text, member.value) }
        return .object(object)
    }
}
