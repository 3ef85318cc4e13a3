// Part of Rollcall. SPDX-License-Identifier: Apache-2.0

public import WireJSON

/// The body of `POST /init`: everything an environment needs to run one rollout.
public struct InitRequest: Sendable, Hashable {
    public var completionParameters: CompletionParameters
    public var messages: [Message]
    public var tools: [JSONValue]?
    /// Where the agent calls its model: the tagged URL of the gateway, without `/chat/completions`.
    public var modelBaseURL: String?
    public var metadata: RolloutMetadata
    /// The bearer key for model calls. Redacted wherever the request is printed.
    public var apiKey: String?
    /// Members that are none of the above, kept as they came.
    public var additional: JSONObject

    public init(
        completionParameters: CompletionParameters, messages: [Message], tools: [JSONValue]? = nil,
        modelBaseURL: String? = nil, metadata: RolloutMetadata, apiKey: String? = nil, additional: JSONObject = [:]
    ) {
        self.completionParameters = completionParameters
        self.messages = messages
        self.tools = tools
        self.modelBaseURL = modelBaseURL
        self.metadata = metadata
        self.apiKey = apiKey
        self.additional = additional
    }
}

extension InitRequest: JSONConvertible {
    private static let knownKeys: Set<String> = [
        "completion_params", "messages", "tools", "model_base_url", "metadata", "api_key",
    ]

    public init(from reader: JSONReader) throws(JSONDecodingError) {
        let object = try reader.object()
        completionParameters = try reader["completion_params"].decode()
        messages = try reader["messages"].present?.decodeElements() ?? []
        tools = nil
        if let tools = reader["tools"].present {
            self.tools = try tools.elements().map { tool throws(JSONDecodingError) in .object(try tool.object()) }
        }
        modelBaseURL = try reader["model_base_url"].present?.string()
        metadata = try reader["metadata"].decode()
        apiKey = try reader["api_key"].present?.string()
        additional = object.removing(Self.knownKeys)
    }

    /// The request without nulls: schemas in which a field is only optional refuse them.
    public var json: JSONValue {
        var object: JSONObject = [
            "completion_params": completionParameters.json,
            "messages": .array(messages.map(\.json)),
        ]
        if let tools { object.append("tools", .array(tools)) }
        if let modelBaseURL { object.append("model_base_url", .string(modelBaseURL)) }
        object.append("metadata", metadata.json)
        if let apiKey { object.append("api_key", .string(apiKey)) }
        for member in additional.members { object.append(member.key.text, member.value) }
        return .object(object)
    }
}

extension InitRequest: CustomStringConvertible, CustomDebugStringConvertible {
    /// The request as JSON with its key replaced.
    public var description: String {
        var copy = self
        if copy.apiKey != nil { copy.apiKey = "[redacted]" }
        return copy.json.description
    }

    public var debugDescription: String { description }
}
