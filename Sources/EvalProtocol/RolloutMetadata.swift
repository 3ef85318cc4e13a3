// Part of Rollcall. SPDX-License-Identifier: Apache-2.0

public import WireJSON

/// The five ids that correlate everything about one rollout, and what else travels with them in `/init`.
///
/// Copies share their parts until one of them is changed: it is handed on a dozen times for each model call.
public struct RolloutMetadata: Sendable {
    private var parts: Parts

    public init(
        invocationID: String, experimentID: String, rolloutID: String, runID: String, rowID: String,
        attempt: AttemptID? = nil, additional: JSONObject = [:]
    ) {
        parts = Parts(
            invocationID: invocationID, experimentID: experimentID, rolloutID: rolloutID, runID: runID, rowID: rowID,
            attempt: attempt, additional: additional)
    }

    public var invocationID: String {
        get { parts.invocationID }
        set { ownParts().invocationID = newValue }
    }

    public var experimentID: String {
        get { parts.experimentID }
        set { ownParts().experimentID = newValue }
    }

    public var rolloutID: String {
        get { parts.rolloutID }
        set { ownParts().rolloutID = newValue }
    }

    public var runID: String {
        get { parts.runID }
        set { ownParts().runID = newValue }
    }

    public var rowID: String {
        get { parts.rowID }
        set { ownParts().rowID = newValue }
    }

    /// Which execution of the rollout this is, when the caller has named it.
    public var attempt: AttemptID? {
        get { parts.attempt }
        set { ownParts().attempt = newValue }
    }

    /// Members of the object that are none of the above, kept as they came.
    public var additional: JSONObject {
        get { parts.additional }
        set { ownParts().additional = newValue }
    }

    private mutating func ownParts() -> Parts {
        if !isKnownUniquelyReferenced(&parts) { parts = parts.copy() }
        return parts
    }

    /// Unchecked, for nothing in it changes while more than one value has it.
    private final class Parts: @unchecked Sendable {
        var invocationID, experimentID, rolloutID, runID, rowID: String
        var attempt: AttemptID?
        var additional: JSONObject

        init(
            invocationID: String, experimentID: String, rolloutID: String, runID: String, rowID: String,
            attempt: AttemptID?, additional: JSONObject
        ) {
            self.invocationID = invocationID
            self.experimentID = experimentID
            self.rolloutID = rolloutID
            self.runID = runID
            self.rowID = rowID
            self.attempt = attempt
            self.additional = additional
        }

        func copy() -> Parts {
            Parts(
                invocationID: invocationID, experimentID: experimentID, rolloutID: rolloutID, runID: runID,
                rowID: rowID,
                attempt: attempt, additional: additional)
        }
    }
}

extension RolloutMetadata: Hashable {
    public static func == (left: Self, right: Self) -> Bool {
        left.parts === right.parts
            || left.rolloutID == right.rolloutID && left.invocationID == right.invocationID
                && left.experimentID == right.experimentID && left.runID == right.runID && left.rowID == right.rowID
                && left.attempt == right.attempt && left.additional == right.additional
    }

    public func hash(into hasher: inout Hasher) {
        hasher.combine(rolloutID)
        hasher.combine(attempt)
        hasher.combine(invocationID)
        hasher.combine(experimentID)
        hasher.combine(runID)
        hasher.combine(rowID)
        hasher.combine(additional)
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
        self.init(
            invocationID: try reader["invocation_id"].string(), experimentID: try reader["experiment_id"].string(),
            rolloutID: try reader["rollout_id"].nonEmptyString(), runID: try reader["run_id"].string(),
            rowID: try reader["row_id"].string(), attempt: try reader["attempt"].present?.decode(),
            additional: object.removing(Self.knownKeys))
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
