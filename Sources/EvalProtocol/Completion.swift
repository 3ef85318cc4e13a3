// Part of Rollcall. SPDX-License-Identifier: Apache-2.0

public import WireJSON

/// A model's answer to a chat completions request.
public struct Completion: Sendable, Hashable {
    /// One of the answers that a request asked for.
    public struct Choice: Sendable, Hashable {
        public var index: Int
        public var message: Message
        /// Why the model stopped: `stop`, `length`, `tool_calls`.
        public var finishReason: String?
        /// Members that are none of the above, such as `logprobs`, kept as they came.
        public var additional: JSONObject

        public init(index: Int = 0, message: Message, finishReason: String? = nil, additional: JSONObject = [:]) {
            self.index = index
            self.message = message
            self.finishReason = finishReason
            self.additional = additional
        }
    }

    public var id: String
    /// The model that answered.
    public var model: String
    /// The answers, at least one.
    public var choices: [Choice]
    public var usage: Usage?
    /// Members that are none of the above, kept as they came.
    public var additional: JSONObject

    public init(
        id: String, model: String, choices: [Choice], usage: Usage? = nil, additional: JSONObject = [:]
    ) {
        self.id = id
        self.model = model
        self.choices = choices
        self.usage = usage
        self.additional = additional
    }

    /// The message of choice 0, or of the first there is; without choices an empty one.
    public var message: Message {
        (choices.first { $0.index == 0 } ?? choices.first)?.message ?? Message(role: "assistant")
    }
}

extension Completion: JSONConvertible {
    private static let knownKeys: Set<String> = ["id", "model", "choices", "usage"]

    public init(from reader: JSONReader) throws(JSONDecodingError) {
        let object = try reader.object()
        id = try reader["id"].present?.string() ?? ""
        model = try reader["model"].present?.string() ?? ""
        choices = try reader["choices"].decodeElements()
        guard !choices.isEmpty else { throw reader["choices"].error(expected: "an array with at least one choice") }
        usage = try reader["usage"].present?.decode()
        additional = object.removing(Self.knownKeys)
    }

    public var json: JSONValue {
        var object: JSONObject = [
            "id": .string(id), "model": .string(model), "choices": .array(choices.map(\.json)),
        ]
        if let usage { object.append("usage", usage.json) }
        for member in additional.members { object.append(member.key.text, member.value) }
        return .object(object)
    }
}

extension Completion.Choice: JSONConvertible {
    private static let knownKeys: Set<String> = ["index", "message", "finish_reason"]

    /// Reads a choice. What a sloppy server got wrong in the message is repaired as ``MessageRepair`` does it.
    public init(from reader: JSONReader) throws(JSONDecodingError) {
        let object = try reader.object()
        index = try reader["index"].present?.int() ?? 0
        _ = try reader["message"].object()
        if let message = try? reader["message"].decode(Message.self) {
            self.message = message
        } else {
            let repaired = reader["message"].value.map(MessageRepair.repaired)
            message = try Message(from: JSONReader(repaired, path: reader["message"].path))
        }
        finishReason = try reader["finish_reason"].present?.string()
        additional = object.removing(Self.knownKeys)
    }

    public var json: JSONValue {
        var object: JSONObject = [
            "index": .number(index), "message": message.json,
            "finish_reason": finishReason.map { .string($0) } ?? .null,
        ]
        for member in additional.members { object.append(member.key.text, member.value) }
        return .object(object)
    }
}
