// Part of Rollcall. SPDX-License-Identifier: Apache-2.0

public import WireJSON

/// What an agent asks of one model call beyond the rollout's `completion_params`, and over them.
public struct CompletionOptions: Sendable, Hashable {
    public var temperature: Double?
    /// The most tokens the answer may have.
    public var maximumTokens: Int?
    /// The form of the answer, see ``jsonSchema(_:name:)``.
    public var responseFormat: JSONObject?
    /// Which of the tools the model may call, or must; by default as the rollout's parameters say. Within
    /// ``ModelClient/run(_:tools:maximumTurns:options:onStep:onChunk:)`` the model is forced until it has called one.
    public var toolChoice: ToolChoice?
    /// Members of the request's body that have no name here.
    public var additional: JSONObject

    public init(
        temperature: Double? = nil, maximumTokens: Int? = nil, responseFormat: JSONObject? = nil,
        toolChoice: ToolChoice? = nil, additional: JSONObject = [:]
    ) {
        self.temperature = temperature
        self.maximumTokens = maximumTokens
        self.responseFormat = responseFormat
        self.toolChoice = toolChoice
        self.additional = additional
    }

    /// A response format that holds the answer to a JSON schema.
    public static func jsonSchema(_ schema: JSONObject, name: String) -> JSONObject {
        [
            "type": "json_schema",
            "json_schema": ["name": .string(name), "strict": true, "schema": .object(schema)],
        ]
    }
}
