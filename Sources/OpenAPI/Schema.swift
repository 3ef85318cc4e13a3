// Part of Rollcall. SPDX-License-Identifier: Apache-2.0

package import WireJSON

/// A JSON Schema, together with the named schemas that it refers to: whoever has it can resolve every reference.
package struct Schema: Sendable, Hashable {
    package private(set) var json: JSONObject
    /// The schemas behind the references, by name; those that they refer to themselves are among them.
    package private(set) var named: [String: JSONObject]

    /// A schema of keywords alone.
    package init(_ keywords: JSONObject) { self.init(keywords, from: []) }

    private init(_ keywords: JSONObject, from parts: [Schema]) {
        json = keywords
        named = [:]
        for part in parts { Schema.merge(part.named, into: &named) }
    }

    /// Two may not share a name: one of them would be described as the other.
    static func merge(_ some: [String: JSONObject], into all: inout [String: JSONObject]) {
        all.merge(some) { one, other in
            precondition(one == other, "two components have one name: \(JSONValue.object(other))")
            return one
        }
    }

    static func reference(to name: String) -> JSONValue { .string("#/components/schemas/\(name)") }

    // MARK: Variants

    /// The schema under a name of its own, to be referred to.
    package func named(_ name: String) -> Schema {
        var reference = Schema(["$ref": Schema.reference(to: name)], from: [self])
        Schema.merge([name: json], into: &reference.named)
        return reference
    }

    package func described(_ text: String) -> Schema { adding("description", .string(text)) }

    package func example(_ value: JSONValue) -> Schema { adding("examples", [value]) }

    package func byDefault(_ value: JSONValue) -> Schema { adding("default", value) }

    private func adding(_ keyword: String, _ value: JSONValue) -> Schema {
        var schema = self
        schema.json[keyword] = value
        return schema
    }

    package var orNull: Schema {
        guard let type = json["type"]?.string else { return .any(of: [self, Schema(["type": "null"])]) }
        var schema = adding("type", [.string(type), "null"])
        if let values = json["enum"]?.array { schema.json["enum"] = .array(values + [.null]) }
        return schema
    }
}

extension Schema {
    package static let anything = Schema([:])
    package static let boolean = Schema(["type": "boolean"])
    package static let null = Schema(["type": "null"])

    package static func string(
        minimum: Int? = nil, maximum: Int? = nil, pattern: String? = nil, format: String? = nil
    ) -> Schema {
        var keywords: JSONObject = ["type": "string"]
        if let minimum { keywords.append("minLength", .number(minimum)) }
        if let maximum { keywords.append("maxLength", .number(maximum)) }
        if let pattern { keywords.append("pattern", .string(pattern)) }
        if let format { keywords.append("format", .string(format)) }
        return Schema(keywords)
    }

    package static func integer(minimum: Int? = nil) -> Schema {
        var keywords: JSONObject = ["type": "integer"]
        if let minimum { keywords.append("minimum", .number(minimum)) }
        return Schema(keywords)
    }

    package static func number(minimum: Int? = nil, maximum: Int? = nil) -> Schema {
        var keywords: JSONObject = ["type": "number"]
        if let minimum { keywords.append("minimum", .number(minimum)) }
        if let maximum { keywords.append("maximum", .number(maximum)) }
        return Schema(keywords)
    }

    package static func oneOf(values: [JSONValue]) -> Schema { Schema(["enum": .array(values)]) }

    package static func constant(_ value: JSONValue) -> Schema { Schema(["const": value]) }

    package static func array(of element: Schema, minimum: Int? = nil, maximum: Int? = nil) -> Schema {
        var keywords: JSONObject = ["type": "array", "items": .object(element.json)]
        if let minimum { keywords.append("minItems", .number(minimum)) }
        if let maximum { keywords.append("maxItems", .number(maximum)) }
        return Schema(keywords, from: [element])
    }

    /// An object that has the first properties and may have the others, and more that is not described.
    package static func object(
        _ required: KeyValuePairs<String, Schema>, optional: KeyValuePairs<String, Schema> = [:]
    ) -> Schema {
        let properties = required.map { ($0.key, $0.value) } + optional.map { ($0.key, $0.value) }
        var keywords: JSONObject = ["type": "object"]
        if !properties.isEmpty {
            keywords.append(
                "properties", .object(JSONObject(properties.map { (JSONString($0.0), .object($0.1.json)) })))
        }
        if !required.isEmpty { keywords.append("required", .array(required.map { .string($0.key) })) }
        return Schema(keywords, from: properties.map(\.1))
    }

    /// Anything; if it is an object, then one with these properties, if it has them.
    package static func members(_ properties: KeyValuePairs<String, Schema>) -> Schema {
        Schema(
            ["properties": .object(JSONObject(properties.map { (JSONString($0.key), .object($0.value.json)) }))],
            from: properties.map(\.value))
    }

    package static func any(of schemas: [Schema]) -> Schema {
        Schema(["anyOf": .array(schemas.map { .object($0.json) })], from: schemas)
    }

    /// Anything; a value that is not as it should be is not refused as a part of the request, but answered in its place.
    package static func preferably(_ schema: Schema) -> Schema { .any(of: [schema, .anything]) }
}
