// Part of Rollcall. SPDX-License-Identifier: Apache-2.0

public import WireJSON

/// A model call as a gateway reports it: what went in, what came out, and to which rollout it belongs.
public struct Trace: Sendable, Hashable {
    public var id: String
    /// `name:value` each.
    public var tags: [String]
    /// When the call was made, in ISO 8601, as the gateway wrote it.
    public var timestamp: String?
    /// The conversation: the messages of the input and then those of the output.
    public var messages: [Message]
    /// The tools the request offered.
    public var tools: [JSONValue]?
    /// The last of the output's messages; `nil` when it had none.
    public var outputMessage: Message?
    /// What else was captured, by name: ``LogprobsPayload``, ``PromptTokenIDsPayload``, ``RouterReplayPayload``.
    public var payloads: [String: TracePayload]
    public var metadata: JSONObject
    /// The trace as it came.
    public var raw: JSONValue
}

extension Trace: JSONConvertible {
    /// Reads a trace; what cannot be used is left out, and the trace kept.
    ///
    /// - Throws: ``JSONDecodingError`` when the value is not an object, or has tags that are not strings.
    public init(from reader: JSONReader) throws(JSONDecodingError) {
        let object = try reader.object()
        id = object["id"]?.string ?? ""
        tags = []
        for tag in try reader["tags"].present?.elements() ?? [] { tags.append(try tag.string()) }
        timestamp = object["timestamp"]?.string
        let conversation = Conversation(trace: object)
        messages = conversation.messages
        tools = conversation.tools
        outputMessage = conversation.outputMessage
        payloads = [:]
        for member in object["payloads"]?.object?.members ?? [] {
            // Entries of another form, or without data, are none.
            guard let payload = try? TracePayload(from: JSONReader(member.value)), !payload.data.isEmpty else {
                continue
            }
            payloads[member.key.text] = payload
        }
        metadata = object["metadata"]?.object ?? [:]
        raw = .object(object)
    }

    /// The trace as it came.
    public var json: JSONValue { raw }

    /// The value of the first tag of this name.
    public func tag(_ name: String) -> String? {
        tags.first { $0.hasPrefix("\(name):") }.map { String($0.dropFirst(name.count + 1)) }
    }
}
