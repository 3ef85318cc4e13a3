// Part of Rollcall. SPDX-License-Identifier: Apache-2.0

public import WireJSON

/// A row of a data set and what became of it: messages, status, metadata, score.
public struct EvaluationRow: Sendable, Hashable {
    public var messages: [Message]
    public var tools: [JSONValue]?
    public var inputMetadata: InputMetadata
    public var rolloutStatus: Status
    public var groundTruth: JSONValue?
    public var executionMetadata: ExecutionMetadata
    /// Every other member (`evaluation_result`, `eval_metadata`, `created_at`, `pid`, and unknown ones), as it came.
    public var additional: JSONObject

    public init(
        messages: [Message], tools: [JSONValue]? = nil, inputMetadata: InputMetadata = InputMetadata(),
        rolloutStatus: Status = .running, groundTruth: JSONValue? = nil,
        executionMetadata: ExecutionMetadata = ExecutionMetadata(), additional: JSONObject = [:]
    ) {
        self.messages = messages
        self.tools = tools
        self.inputMetadata = inputMetadata
        self.rolloutStatus = rolloutStatus
        self.groundTruth = groundTruth
        self.executionMetadata = executionMetadata
        self.additional = additional
    }
}

extension EvaluationRow: JSONConvertible {
    private static let knownKeys: Set<String> = [
        "messages", "tools", "input_metadata", "rollout_status", "ground_truth", "execution_metadata",
    ]

    public init(from reader: JSONReader) throws(JSONDecodingError) {
        let object = try reader.object()
        messages = try reader["messages"].decodeElements()
        tools = nil
        if let tools = reader["tools"].present {
            self.tools = try tools.elements().map { tool throws(JSONDecodingError) in .object(try tool.object()) }
        }
        inputMetadata = try reader["input_metadata"].present?.decode() ?? InputMetadata()
        rolloutStatus = try reader["rollout_status"].present?.decode() ?? .running
        groundTruth = reader["ground_truth"].present?.value
        executionMetadata = try reader["execution_metadata"].present?.decode() ?? ExecutionMetadata()
        additional = object.removing(Self.knownKeys)
    }

    public var json: JSONValue {
        var object: JSONObject = [
            "messages": .array(messages.map(\.json)),
            "tools": tools.map { .array($0) } ?? .null,
            "input_metadata": inputMetadata.json,
            "rollout_status": rolloutStatus.json,
            "ground_truth": groundTruth ?? .null,
            "execution_metadata": executionMetadata.json,
        ]
        for member in additional.members { object.append(member.key.text, member.value) }
        return .object(object)
    }
}
