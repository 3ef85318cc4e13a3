// Part of Rollcall. SPDX-License-Identifier: Apache-2.0

public import WireJSON

/// A model's wish to call a function.
public struct ToolCall: Sendable, Hashable {
    public var id: String
    public var name: String
    /// The arguments as the model wrote them: JSON text, if it did it right.
    public var arguments: String
    /// Members besides `id`, `type` and `function`, kept as they came.
    public var additional: JSONObject

    public init(id: String, name: String, arguments: String, additional: JSONObject = [:]) {
        self.id = id
        self.name = name
        self.arguments = arguments
        self.additional = additional
    }
}

extension ToolCall: JSONConvertible {
    public init(from reader: JSONReader) throws(JSONDecodingError) {
        id = try reader["id"].string()
        name = try reader["function"]["name"].string()
        arguments = try reader["function"]["arguments"].string()
        additional = try reader.object().removing(["id", "type", "function"])
    }

    public var json: JSONValue {
        var object: JSONObject = [
            "id": .string(id), "type": "function",
            "function": ["name": .string(name), "arguments": .string(arguments)],
        ]
        for member in additional.members { object.append(member.key.text, member.value) }
        return .object(object)
    }
}
