// Part of Rollcall. SPDX-License-Identifier: Apache-2.0

public import WireJSON

/// One message of a chat, as the chat completions API and Eval Protocol have it.
public struct Message: Sendable, Hashable {
    /// `system`, `developer`, `user`, `assistant`, `tool`, `function`, or what else a peer sends.
    public var role: String
    public var content: MessageContent?
    public var name: String?
    public var toolCallID: String?
    public var toolCalls: [ToolCall]?
    /// Members that are none of the above, nulls included, kept as they came.
    public var additional: JSONObject

    public init(
        role: String, content: MessageContent? = nil, name: String? = nil, toolCallID: String? = nil,
        toolCalls: [ToolCall]? = nil, additional: JSONObject = [:]
    ) {
        self.role = role
        self.content = content
        self.name = name
        self.toolCallID = toolCallID
        self.toolCalls = toolCalls
        self.additional = additional
    }

    public static func system(_ text: String) -> Message { Message(role: "system", content: .text(text)) }
    public static func user(_ text: String) -> Message { Message(role: "user", content: .text(text)) }
    public static func assistant(_ text: String) -> Message { Message(role: "assistant", content: .text(text)) }
    public static func tool(_ text: String, toolCallID: String) -> Message {
        Message(role: "tool", content: .text(text), toolCallID: toolCallID)
    }

    /// The content's text; empty where there is none, the text parts joined where there are several.
    public var text: String { content?.text ?? "" }
}

extension Message: JSONConvertible {
    private static let knownKeys: Set<String> = ["role", "content", "name", "tool_call_id", "tool_calls"]

    public init(from reader: JSONReader) throws(JSONDecodingError) {
        let object = try reader.object()
        role = try reader["role"].nonEmptyString()
        content = try reader["content"].present?.decode()
        name = try reader["name"].present?.string()
        toolCallID = try reader["tool_call_id"].present?.string()
        toolCalls = try reader["tool_calls"].present?.decodeElements()
        additional = object.removing(Self.knownKeys)
    }

    /// The message without nulls for what it does not have; `content` is always there, as the API wants it.
    public var json: JSONValue {
        var object: JSONObject = ["role": .string(role), "content": content?.json ?? .null]
        if let name { object.append("name", .string(name)) }
        if let toolCallID { object.append("tool_call_id", .string(toolCallID)) }
        if let toolCalls { object.append("tool_calls", .array(toolCalls.map(\.json))) }
        for member in additional.members { object.append(member.key.text, member.value) }
        return .object(object)
    }
}

extension Message {
    /// Fields of Eval Protocol's message that the chat completions API does not know.
    public static let evalProtocolOnlyKeys: Set<String> = ["control_plane_step", "weight", "logprobs"]

    /// The message as a model takes it: no null fields but `content`, and nothing that only Eval Protocol knows.
    public var forModel: Message {
        var message = self
        message.additional = JSONObject(
            additional.members
                .filter { $0.value != .null && !Self.evalProtocolOnlyKeys.contains($0.key.text) }
                .map { ($0.key, $0.value) })
        return message
    }
}
