// Part of Rollcall. SPDX-License-Identifier: Apache-2.0

public import WireJSON

/// The five ids that correlate everything about one rollout, and what else travels with them in `/init`.
///
/// Copies share their parts until one of them is changed: it is handed on a dozen times for each model call.
public struct RolloutMetadata: Sendable {
    private struct Values: Sendable, Hashable {
        var invocationID, experimentID, rolloutID, runID, rowID: String
        var attempt: AttemptID?
        var additional: JSONObject
    }

    /// Unchecked, for nothing in it changes while more than one value has it.
    private final class Parts: @unchecked Sendable {
        var values: Values

        init(_ values: Values) { self.values = values }
    }

    private var parts: Parts

    /// The parts, which no other value has from here on.
    private var own: Parts {
        mutating get {
            if !isKnownUniquelyReferenced(&parts) { parts = Parts(parts.values) }
            return parts
        }
    }

    public init(
        invocationID: String, experimentID: String, rolloutID: String, runID: String, rowID: String,
        attempt: AttemptID? = nil, additional: JSONObject = [:]
    ) {
        parts = Parts(
            Values(
                invocationID: invocationID, experimentID: experimentID, rolloutID: rolloutID, runID: runID,
                rowID: rowID,
                attempt: attempt, additional: additional))
    }

    public var invocationID: String {
        get { parts.values.invocationID }
        set { own.values.invocationID = newValue }
    }

    public var experimentID: String {
        get { parts.values.experimentID }
        set { own.values.experimentID = newValue }
    }

    public var rolloutID: String {
        get { parts.values.rolloutID }
        set { own.values.rolloutID = newValue }
    }

    public var runID: String {
        get { parts.values.runID }
        set { own.values.runID = newValue }
    }

    public var rowID: String {
        get { parts.values.rowID }
        set { own.values.rowID = newValue }
    }

    /// Which execution of the rollout this is, when the caller has named it.
    public var attempt: AttemptID? {
        get { parts.values.attempt }
        set { own.values.attempt = newValue }
    }

    /// Members of the object that are none of the above, kept as they came.
    public var additional: JSONObject {
        get { parts.values.additional }
        set { own.values.additional = newValue }
    }
}

extension RolloutMetadata: Hashable {
    public static func == (left: Self, right: Self) -> Bool {
        left.parts === right.parts || left.parts.values == right.parts.values
    }

    public func hash(into hasher: inout Hasher) { hasher.combine(parts.values) }
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
