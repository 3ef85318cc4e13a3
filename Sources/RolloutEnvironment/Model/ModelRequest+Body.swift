// Part of Rollcall. SPDX-License-Identifier: Apache-2.0

package import EvalProtocol
package import WireJSON

extension ModelRequest {
    /// Arguments of client libraries that callers put among the parameters; no model server knows them.
    private static let clientArguments: Set<String> = [
        "base_url", "api_base", "api_key", "extra_body", "extra_headers", "extra_query", "timeout", "max_retries",
        "num_retries", "stream", "stream_options", "messages",
    ]

    /// The body of a chat completions call by the contract's rules: no nulls, nothing that only the caller or
    /// Eval Protocol knows, and the members of `extra_body` where the Python client puts them.
    package static func body(
        _ parameters: CompletionParameters, messages: [Message], tools: [JSONValue], options: CompletionOptions,
        isStreamed: Bool
    ) -> JSONObject {
        var body: JSONObject = [
            "model": .string(parameters.model),
            "messages": .array(messages.map { JSONValue.object($0.forModel.objectForModel) }),
        ]
        var extra = parameters.forModel.removing(clientArguments.union(["model", "tools", "tool_choice"]))
        for member in parameters.additional["extra_body"]?.object?.members ?? [] where member.value != .null {
            extra[member.key.text] = member.value
        }
        for member in extra.members { body[member.key.text] = member.value }
        if !tools.isEmpty {
            body["tools"] = .array(tools)
            if let choice = options.toolChoice?.json ?? parameters.forModel["tool_choice"] {
                body["tool_choice"] = choice
            }
        }
        if let temperature = options.temperature { body["temperature"] = .number(temperature) }
        if let maximum = options.maximumTokens {
            body["max_completion_tokens"] = nil
            body["max_tokens"] = .number(maximum)
        }
        if let format = options.responseFormat { body["response_format"] = .object(format) }
        for member in options.additional.members { body[member.key.text] = member.value }
        if isStreamed { body["stream"] = true }
        return body
    }

    /// What ``body(_:messages:tools:options:isStreamed:)`` asks the model about tools, where there are any.
    static func toolChoice(_ parameters: CompletionParameters, _ options: CompletionOptions) -> JSONValue? {
        options.additional["tool_choice"] ?? options.toolChoice?.json ?? parameters.forModel["tool_choice"]
            ?? parameters.additional["extra_body"]?["tool_choice"]
    }
}

extension Message {
    /// Only an assistant's message may have no content, and then only beside its tool calls. Some servers write an empty
    /// list of those, which others refuse to read.
    fileprivate var objectForModel: JSONObject {
        var message = self
        if message.toolCalls?.isEmpty == true { message.toolCalls = nil }
        return message.objectWithContent
    }

    private var objectWithContent: JSONObject {
        var object = json.object ?? [:]
        if object["content"] == .null, role != "assistant" || toolCalls == nil { object["content"] = "" }
        return object
    }
}
