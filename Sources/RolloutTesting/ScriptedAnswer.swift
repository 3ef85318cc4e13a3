// Part of Rollcall. SPDX-License-Identifier: Apache-2.0

public import EvalProtocol
import RolloutEnvironment
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
            return call.isStreamed
                ? ModelResponse(
                    status: 200, bytes: events(message, finishReason, call) + Array("data: [DONE]\n\n".utf8))
                : ModelResponse(status: 200, bytes: completion(message, finishReason, call).serialized())
        case .failure(let status, let message, let headers):
            let error: JSONValue = [
                "error": ["message": .string(message), "type": "scripted", "param": nil, "code": nil]
            ]
            return ModelResponse(status: status, headers: headers, bytes: error.serialized())
        case .broken(let text):
            guard call.isStreamed else { throw ConnectionBroken() }
            let events = events(.assistant(text), nil, call)
            return ModelResponse(
                status: 200,
                body: AsyncThrowingStream<[UInt8], any Error> { continuation in
                    continuation.yield(events)
                    continuation.finish(throwing: ConnectionBroken())
                })
        }
    }

    private func completion(_ message: Message, _ finishReason: String, _ call: ScriptedModel.Call) -> JSONValue {
        [
            "id": .string("scripted-\(call.index)"), "object": "chat.completion", "created": 0,
            "model": call.body["model"] ?? "scripted",
            "choices": [["index": 0, "message": message.json, "finish_reason": .string(finishReason)]],
            "usage": usage.json,
        ]
    }

    /// The answer as server-sent events, a few characters each.
    private func events(_ message: Message, _ finishReason: String?, _ call: ScriptedModel.Call) -> [UInt8] {
        var deltas: [JSONObject] = [["role": "assistant"]]
        var rest = Array(message.text)[...]
        while !rest.isEmpty {
            deltas.append(["content": .string(String(rest.prefix(4)))])
            rest = rest.dropFirst(4)
        }
        for (index, tool) in (message.toolCalls ?? []).enumerated() {
            deltas.append([
                "tool_calls": [
                    [
                        "index": .number(index), "id": .string(tool.id), "type": "function",
                        "function": ["name": .string(tool.name), "arguments": .string(tool.arguments)],
                    ]
                ]
            ])
        }
        var chunks = deltas.map { chunk(call, delta: $0, finishReason: nil) }
        if let finishReason { chunks.append(chunk(call, delta: [:], finishReason: finishReason)) }
        return chunks.flatMap { Array("data: \($0)\n\n".utf8) }
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
