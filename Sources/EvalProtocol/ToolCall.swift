// Part of Rollcall. SPDX-License-Identifier: Apache-2.0

public import WireJSON

/// A model's wish to call a function.
///
/// It goes out as it came in, members in their order, whatever stands in it beside what has a name here: a model that is
/// shown its own call again has to see the same call.
public struct ToolCall: Sendable {
    private var object: JSONObject
    private var function: JSONObject {
        get { object["function"]?.object ?? [:] }
        set { object["function"] = .object(newValue) }
    }

    public init(id: String, name: String, arguments: String, additional: JSONObject = [:]) {
        object = [
            "id": .string(id), "type": "function",
            "function": ["name": .string(name), "arguments": .string(arguments)],
        ]
        for member in additional.members { object.append(member.key.text, member.value) }
    }

    public var id: String {
        get { object["id"]?.string ?? "" }
        set { object["id"] = .string(newValue) }
    }

    public var name: String {
        get { function["name"]?.string ?? "" }
        set { function["name"] = .string(newValue) }
    }

    /// The arguments as the model wrote them: JSON text, if it did it right.
    public var arguments: String {
        get { function["arguments"]?.string ?? "" }
        set { function["arguments"] = .string(newValue) }
    }

    /// Members besides `id`, `type` and `function`.
    public var additional: JSONObject { object.removing(["id", "type", "function"]) }
}

/// Two calls are the same whatever the order in which they were written.
extension ToolCall: Hashable {
    public static func == (left: ToolCall, right: ToolCall) -> Bool {
        left.id == right.id && left.name == right.name && left.arguments == right.arguments
            && left.additional == right.additional
    }

    public func hash(into hasher: inout Hasher) {
        hasher.combine(id)
        hasher.combine(name)
        hasher.combine(arguments)
        hasher.combine(additional)
    }
}

extension ToolCall: JSONConvertible {
    public init(from reader: JSONReader) throws(JSONDecodingError) {
        var object = try reader.object()
        _ = try reader["id"].string()
        _ = try reader["function"]["name"].string()
        _ = try reader["function"]["arguments"].string()
        if object["type"] == nil { object.append("type", "function") }
        self.object = object
    }

    public var json: JSONValue { .object(object) }
}
