// Part of Rollcall. SPDX-License-Identifier: Apache-2.0

public import EvalProtocol
import RolloutEnvironment
import Synchronization
public import WireJSON

/// What a ``ScriptedModel`` answers.
public struct ScriptedAnswer: Sendable, ExpressibleByStringInterpolation {
    enum Content: Sendable {
        case message(Message, finishReason: String)
        case failure(httpStatus: Int, message: String, headers: [(name: String, value: String)])
        /// The beginning of an answer, then a broken connection.
        case broken(String)
    }

    let content: Content
    /// The tokens that the answer is said to have taken.
    public var usage = Usage(promptTokens: 10, completionTokens: 5)

    init(content: Content) { self.content = content }

    public init(stringLiteral value: String) { self = .text(value) }

    /// An answer in words.
    ///
    /// - Parameters:
    ///   - text: The whole answer.
    ///   - finishReason: `length` for one that was cut at the token limit.
    public static func text(_ text: String, finishReason: String = "stop") -> ScriptedAnswer {
        ScriptedAnswer(content: .message(.assistant(text), finishReason: finishReason))
    }

    /// An answer in JSON.
    public static func json(_ value: JSONValue) -> ScriptedAnswer { .text(value.description) }

    /// An answer that calls tools.
    public static func toolCalls(_ calls: [(name: String, arguments: JSONValue)], text: String? = nil) -> ScriptedAnswer
    {
        let calls = calls.enumerated().map { index, call in
            ToolCall(id: "call_\(index)", name: call.name, arguments: call.arguments.description)
        }
        return .message(
            Message(role: "assistant", content: text.map { .text($0) }, toolCalls: calls), finishReason: "tool_calls")
    }

    /// An answer of any form.
    public static func message(_ message: Message, finishReason: String = "stop") -> ScriptedAnswer {
        ScriptedAnswer(content: .message(message, finishReason: finishReason))
    }

    /// An error of the model server. It may be repeated at once, so that no test waits.
    public static func failure(httpStatus: Int, message: String = "scripted failure") -> ScriptedAnswer {
        ScriptedAnswer(content: .failure(httpStatus: httpStatus, message: message, headers: [("retry-after-ms", "0")]))
    }

    /// An answer that begins with `text` and then breaks off.
    public static func broken(after text: String = "") -> ScriptedAnswer { ScriptedAnswer(content: .broken(text)) }

    struct ConnectionBroken: Error, CustomStringConvertible {
        let description = "the scripted connection broke"
    }

    func response(to call: ScriptedModel.Call) throws -> ModelResponse {
        switch content {
        case .message(let message, let finishReason):
            guard call.isStreamed else {
                return ModelResponse(status: 200, bytes: completion(message, finishReason, call).serialized())
            }
            return streamed(chunks(message, finishReason, call).map { "\($0)" } + ["[DONE]"])
        case .failure(let status, let message, let headers):
            let error: JSONValue = [
                "error": ["message": .string(message), "type": "scripted", "param": nil, "code": nil]
            ]
            return ModelResponse(status: status, headers: headers, bytes: error.serialized())
        case .broken(let text):
            guard call.isStreamed else { throw ConnectionBroken() }
            return streamed(chunks(.assistant(text), nil, call).map { "\($0)" }, error: ConnectionBroken())
        }
    }

    /// Server-sent events that come one by one, as they are read.
    private func streamed(_ events: [String], error: (any Error)? = nil) -> ModelResponse {
        let rest = Mutex(events[...])
        return ModelResponse(
            status: 200,
            body: AsyncThrowingStream<[UInt8], any Error>(unfolding: {
                if let event = rest.withLock({ $0.popFirst() }) { return Array("data: \(event)\n\n".utf8) }
                if let error { throw error }
                return nil
            }))
    }

    private func completion(_ message: Message, _ finishReason: String, _ call: ScriptedModel.Call) -> JSONValue {
        [
            "id": .string("scripted-\(call.index)"), "object": "chat.completion", "created": 0,
            "model": call.body["model"] ?? "scripted",
            "choices": [["index": 0, "message": message.json, "finish_reason": .string(finishReason)]],
            "usage": usage.json,
        ]
    }

    /// The answer in chunks, of a few characters each.
    private func chunks(_ message: Message, _ finishReason: String?, _ call: ScriptedModel.Call) -> [JSONValue] {
        var deltas: [JSONObject] = [["role": "assistant"]]
        // What is neither text nor tool calls, such as reasoning, comes first.
        for member in message.additional.members { deltas.append(JSONObject([(member.key, member.value)])) }
        deltas += Self.pieces(of: message.text).map { ["content": .string($0)] }
        for (index, tool) in (message.toolCalls ?? []).enumerated() {
            func delta(_ members: JSONObject) -> JSONObject {
                var piece: JSONObject = ["index": .number(index)]
                for member in members.members { piece[member.key.text] = member.value }
                return ["tool_calls": [.object(piece)]]
            }
            let function: JSONValue = ["name": .string(tool.name), "arguments": ""]
            deltas.append(delta(["id": .string(tool.id), "type": "function", "function": function]))
            for piece in Self.pieces(of: tool.arguments) {
                deltas.append(delta(["function": ["arguments": .string(piece)]]))
            }
        }
        var chunks = deltas.map { chunk(call, delta: $0, finishReason: nil) }
        if let finishReason { chunks.append(chunk(call, delta: [:], finishReason: finishReason)) }
        if call.body["stream_options"]?["include_usage"] == true {
            var last = chunk(call, delta: [:], finishReason: nil).object ?? [:]
            last["choices"] = []
            last["usage"] = usage.json
            chunks.append(.object(last))
        }
        return chunks
    }

    private static func pieces(of text: String) -> [String] {
        var pieces: [String] = []
        var rest = text[...]
        while !rest.isEmpty {
            pieces.append(String(rest.prefix(4)))
            rest = rest.dropFirst(4)
        }
        return pieces
    }

    private func chunk(_ call: ScriptedModel.Call, delta: JSONObject, finishReason: String?) -> JSONValue {
        [
            "id": .string("scripted-\(call.index)"), "object": "chat.completion.chunk", "created": 0,
            "model": call.body["model"] ?? "scripted",
            "choices": [
                ["index": 0, "delta": .object(delta), "finish_reason": finishReason.map { .string($0) } ?? .null]
            ],
        ]
    }
}
