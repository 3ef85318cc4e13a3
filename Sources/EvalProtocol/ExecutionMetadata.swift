// Part of Rollcall. SPDX-License-Identifier: Apache-2.0

public import WireJSON

/// How a row was executed: its ids, what it cost, how long it took.
public struct ExecutionMetadata: Sendable, Hashable {
    public var invocationID: String?
    public var experimentID: String?
    public var rolloutID: String?
    public var runID: String?
    public var usage: Usage?
    /// Seconds from the trigger to the terminal status.
    public var rolloutDurationSeconds: Double?
    public var finishReason: String?
    public var toolCallCount: Int?
    /// What the environment and the payloads added.
    public var extra: JSONObject?
    /// Members that are none of the above, kept as they came.
    public var additional: JSONObject

    public init(
        invocationID: String? = nil, experimentID: String? = nil, rolloutID: String? = nil, runID: String? = nil,
        usage: Usage? = nil, rolloutDurationSeconds: Double? = nil, finishReason: String? = nil,
        toolCallCount: Int? = nil, extra: JSONObject? = nil, additional: JSONObject = [:]
    ) {
        self.invocationID = invocationID
        self.experimentID = experimentID
        self.rolloutID = rolloutID
        self.runID = runID
        self.usage = usage
        self.rolloutDurationSeconds = rolloutDurationSeconds
        self.finishReason = finishReason
        self.toolCallCount = toolCallCount
        self.extra = extra
        self.additional = additional
    }
}

extension ExecutionMetadata: JSONConvertible {
    private static let knownKeys: Set<String> = [
        "invocation_id", "experiment_id", "rollout_id", "run_id", "usage", "rollout_duration_seconds",
        "finish_reason", "tool_call_count", "extra",
    ]

    public init(from reader: JSONReader) throws(JSONDecodingError) {
        let object = try reader.object()
        invocationID = try reader["invocation_id"].present?.string()
        experimentID = try reader["experiment_id"].present?.string()
        rolloutID = try reader["rollout_id"].present?.string()
        runID = try reader["run_id"].present?.string()
        usage = try reader["usage"].present?.decode()
        rolloutDurationSeconds = try reader["rollout_duration_seconds"].present?.double()
        finishReason = try reader["finish_reason"].present?.string()
        toolCallCount = try reader["tool_call_count"].present?.int()
        extra = try reader["extra"].present?.object()
        additional = object.removing(Self.knownKeys)
    }

    /// Ids that are missing are left out, since the Python model makes random ones of nulls it cannot take.
    public var json: JSONValue {
        var object: JSONObject = [:]
        if let invocationID { object.append("invocation_id", .string(invocationID)) }
        if let experimentID { object.append("experiment_id", .string(experimentID)) }
        if let rolloutID { object.append("rollout_id", .string(rolloutID)) }
        object.append("run_id", runID.map { .string($0) } ?? .null)
        object.append("usage", usage?.json ?? .null)
        object.append("rollout_duration_seconds", rolloutDurationSeconds.map { .number($0) } ?? .null)
        if let finishReason { object.append("finish_reason", .string(finishReason)) }
        if let toolCallCount { object.append("tool_call_count", .number(toolCallCount)) }
        object.append("extra", extra.map { .object($0) } ?? .null)
        for member in additional.members { object.append(member.key.text, member.value) }
        return .object(object)
    }
}
