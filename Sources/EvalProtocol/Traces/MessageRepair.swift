// Part of Rollcall. SPDX-License-Identifier: Apache-2.0

public import WireJSON

/// Makes a recorded message one that Eval Protocol's `Message` accepts.
///
/// A single message that it does not accept costs a reader of traces all the messages beside it. What fits already
/// stays as it is.
public enum MessageRepair {
    /// The message with its role, content and tool calls in an accepted form. A value that is not an object stays.
    public static func repaired(_ message: JSONValue) -> JSONValue {
        guard case .object(var object) = message else { return message }
        if object["role"]?.string == nil { object["role"] = "assistant" }
        if let content = object["content"] { object["content"] = repairedContent(content) }
        for key in ["name", "tool_call_id"] {
            if let value = object[key], value.string == nil, value != .null {
                object[key] = value.number.map { .string($0.text) } ?? .null
            }
        }
        if let calls = object["tool_calls"], calls != .null {
            object["tool_calls"] = repairedToolCalls(calls)
        }
        if let call = object["function_call"], call != .null {
            object["function_call"] = call.object.map { .object(repairedFunction($0)) } ?? .null
        }
        return .object(object)
    }

    // MARK: Content

    private static func repairedContent(_ content: JSONValue) -> JSONValue {
        switch content {
        case .null, .string: content
        case .array(let parts): .array(parts.map(repairedPart))
        case .object: .array([repairedPart(content)])
        case .bool, .number: .string(content.description)
        }
    }

    /// A part of a kind that is not known becomes the text it has, or a note that it was there.
    private static func repairedPart(_ part: JSONValue) -> JSONValue {
        guard case .object(var object) = part else { return textPart(part.string ?? part.description) }
        let type = object["type"]?.string ?? ""
        if let image = object["image_url"], type == "image_url" || type == "input_image" {
            if case .object = image, type == "image_url" { return part }
            if let url = image.string {
                return ["type": "image_url", "image_url": ["url": .string(url)]]
            }
        }
        if let text = object["text"]?.string {
            if type == "text" { return part }
            object["type"] = "text"
            object["text"] = .string(text)
            return .object(object)
        }
        if let refusal = object["refusal"]?.string { return textPart(refusal) }
        if type == "text" { return textPart(object["text"].map { $0 == .null ? "" : $0.description } ?? "") }
        return textPart("[\(type.isEmpty ? "content" : type)]")
    }

    private static func textPart(_ text: String) -> JSONValue { ["type": "text", "text": .string(text)] }

    // MARK: Tool calls

    private static func repairedToolCalls(_ calls: JSONValue) -> JSONValue {
        switch calls {
        case .array(let calls):
            .array(calls.enumerated().compactMap { index, call in call.object.map { repairedCall($0, index: index) } })
        case .object(let call): .array([repairedCall(call, index: 0)])
        default: .null
        }
    }

    private static func repairedCall(_ call: JSONObject, index: Int) -> JSONValue {
        var call = call
        if call["id"]?.string?.isEmpty != false {
            // The same for every reading, and apart from the others of its message.
            call["id"] = .string(call["id"]?.number?.text ?? "call_\(index)")
        }
        var function = call["function"]?.object ?? [:]
        if let custom = call["custom"]?.object, call["function"]?.object == nil {
            function = ["name": custom["name"] ?? "", "arguments": custom["input"] ?? ""]
        }
        for key in ["name", "arguments"] where function[key] == nil {
            function[key] = call[key]
        }
        call["type"] = "function"
        call["function"] = .object(repairedFunction(function))
        return .object(call)
    }

    private static func repairedFunction(_ function: JSONObject) -> JSONObject {
        var function = function
        if function["name"]?.string == nil { function["name"] = .string(function["name"]?.number?.text ?? "") }
        switch function["arguments"] {
        case .string: break
        case nil, .null: function["arguments"] = "{}"
        case let arguments?: function["arguments"] = .string(arguments.description)
        }
        return function
    }
}

extension JSONValue {
    fileprivate var number: JSONNumber? {
        if case .number(let number) = self { number } else { nil }
    }
}
