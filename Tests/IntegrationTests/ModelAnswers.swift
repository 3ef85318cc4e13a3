// Part of Rollcall. SPDX-License-Identifier: Apache-2.0

import EvalProtocol
import TestSupport
import WireJSON

/// What the scripted model answers.
enum ModelAnswers {
    /// `echo: ` and the last message, streamed if asked.
    @Sendable static func echo(_ request: ScriptedHTTPServer.Request) async -> ScriptedHTTPServer.Response {
        let text = "echo: \(lastMessage(of: request)?["content"]?.string ?? "")"
        guard request.json?["stream"]?.bool == true else {
            return completion(["role": "assistant", "content": .string(text)])
        }
        let pieces = text.split(separator: " ", omittingEmptySubsequences: false)
        var blocks = pieces.enumerated().map { index, piece in
            chunk(["content": .string(index == 0 ? String(piece) : " \(piece)")], finish: .null)
        }
        blocks.append(chunk([:], finish: "stop"))
        return .events(blocks + ["data: [DONE]\n\n"])
    }

    /// Calls `multiply` with 6 and 7, then says what it gave.
    @Sendable static func multiplying(_ request: ScriptedHTTPServer.Request) async -> ScriptedHTTPServer.Response {
        if let last = lastMessage(of: request), last["role"]?.string == "tool" {
            return completion([
                "role": "assistant", "content": .string("It is \(last["content"]?.string ?? "nothing")."),
            ])
        }
        let function: JSONValue = ["name": "multiply", "arguments": "{\"a\": 6, \"b\": 7}"]
        let call: JSONValue = ["id": "call_1", "type": "function", "function": function]
        return completion(["role": "assistant", "content": .null, "tool_calls": [call]], finish: "tool_calls")
    }

    /// Calls `multiply` three times at once, says what that gave, and says it again when asked.
    @Sendable static func calculating(_ request: ScriptedHTTPServer.Request) async -> ScriptedHTTPServer.Response {
        let results = (request.json?["messages"]?.array ?? []).filter { $0["role"]?.string == "tool" }
        let isStreamed = request.json?["stream"]?.bool == true
        if !results.isEmpty {
            let text = "They are " + results.map { $0["content"]?.string ?? "" }.joined(separator: ", ") + "."
            let message: JSONValue = ["role": "assistant", "content": .string(text)]
            return isStreamed ? events([message]) : completion(message)
        }
        let calls: [JSONValue] = [(6, 7), (13, 2), (2, 2)].enumerated().map { index, pair in
            let arguments = JSONValue.string("{\"a\": \(pair.0), \"b\": \(pair.1)}")
            var call: JSONObject = [
                "id": .string("call_\(index)"), "type": "function",
                "function": ["name": "multiply", "arguments": arguments],
            ]
            if isStreamed { call["index"] = .number(index) }
            return .object(call)
        }
        let thought: JSONValue = ["role": "assistant", "content": .null, "reasoning_content": "I shall calculate."]
        if isStreamed { return events([thought] + calls.map { ["tool_calls": [$0]] }, finish: "tool_calls") }
        var message = thought.object ?? [:]
        message["tool_calls"] = .array(calls)
        return completion(.object(message), finish: "tool_calls")
    }

    private static func events(_ deltas: [JSONValue], finish: String = "stop") -> ScriptedHTTPServer.Response {
        .events(deltas.map { chunk($0, finish: .null) } + [chunk([:], finish: .string(finish)), "data: [DONE]\n\n"])
    }

    @Sendable static func refusing(_ request: ScriptedHTTPServer.Request) async -> ScriptedHTTPServer.Response {
        .json(
            ["error": ["message": "no such model", "type": "invalid_request_error", "param": .null, "code": .null]],
            status: 400)
    }

    static func lastMessage(of request: ScriptedHTTPServer.Request) -> JSONValue? {
        request.json?["messages"]?.array?.last
    }

    private static func completion(_ message: JSONValue, finish: String = "stop") -> ScriptedHTTPServer.Response {
        .json([
            "id": "scripted", "object": "chat.completion", "created": 1, "model": "scripted",
            "choices": [["index": 0, "message": message, "finish_reason": .string(finish)]],
            "usage": ["prompt_tokens": 7, "completion_tokens": 3, "total_tokens": 10],
        ])
    }

    private static func chunk(_ delta: JSONValue, finish: JSONValue) -> String {
        let value: JSONValue = [
            "id": "scripted", "object": "chat.completion.chunk", "created": 1, "model": "scripted",
            "choices": [["index": 0, "delta": delta, "finish_reason": finish]],
        ]
        return "data: \(value)\n\n"
    }
}
