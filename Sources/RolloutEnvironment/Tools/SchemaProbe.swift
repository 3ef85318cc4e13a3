// Part of Rollcall. SPDX-License-Identifier: Apache-2.0

import WireJSON

/// Finds the JSON schema of a type by decoding it from nothing and noting what it asks for.
final class SchemaProbe {
    private static let maximumDepth = 16

    /// The schema noted so far; a class, since containers of one decoder note into the same place.
    var schema: JSONObject = [:]
    let path: [any CodingKey]
    let descriptions: [String: String]

    init(path: [any CodingKey], descriptions: [String: String]) {
        self.path = path
        self.descriptions = descriptions
    }

    static func schema<T: Decodable>(of type: T.Type, descriptions: [String: String]) throws -> JSONObject {
        let probe = SchemaProbe(path: [], descriptions: descriptions)
        do {
            _ = try probe.value(type)
        } catch let error as ToolError {
            throw error
        } catch {
            throw ToolError("No JSON schema can be found for \(type) (\(error)); write its schema() yourself.")
        }
        // A structure without properties asks for nothing at all.
        if probe.schema.isEmpty { probe.beginObject() }
        guard probe.schema["type"] == "object" else {
            throw ToolError("The JSON schema of \(type) is not that of an object; use a structure.")
        }
        return probe.schema
    }

    /// A value of `type` made of nothing, after which ``schema`` is that of the type.
    func value<T: Decodable>(_ type: T.Type) throws -> T {
        guard path.count <= Self.maximumDepth else {
            throw ToolError(
                "\(T.self) at \(place) contains itself or is nested too deeply; write its schema() yourself.")
        }
        if let choice = try enumeration(type) { return choice }
        if type == JSONValue.self, let value = JSONValue.null as? T { return value }
        if type == JSONObject.self, let value = JSONObject() as? T {
            schema["type"] = "object"
            return value
        }
        if let scalar = scalar(type) { return scalar }
        if let list = type as? any ProbedArray.Type {
            schema["type"] = "array"
            let element = child(ProbeKey(index: 0))
            schema["items"] = .object(try list.schema(in: element))
            if let value = list.empty as? T { return value }
        }
        if let table = type as? any ProbedDictionary.Type {
            let element = child(ProbeKey("*"))
            schema["type"] = "object"
            schema["additionalProperties"] = .object(try table.schema(in: element))
            if let value = table.empty as? T { return value }
        }
        if let wrapped = type as? any ProbedOptional.Type {
            schema = try wrapped.schema(in: SchemaProbe(path: path, descriptions: descriptions))
            if let value = wrapped.absent as? T { return value }
        }
        return try T(from: ProbingDecoder(probe: self))
    }

    func child(_ key: any CodingKey) -> SchemaProbe { SchemaProbe(path: path + [key], descriptions: descriptions) }

    /// Notes a property of the object that is being probed.
    func note(_ property: SchemaProbe, as key: String, isRequired: Bool) {
        var properties = schema["properties"]?.object ?? [:]
        if let text = descriptions[property.path.map(\.stringValue).joined(separator: ".")] {
            property.schema["description"] = .string(text)
        }
        properties[key] = .object(property.schema)
        schema["properties"] = .object(properties)
        guard isRequired else { return }
        schema["required"] = .array((schema["required"]?.array ?? []) + [.string(key)])
    }

    func beginObject() {
        guard schema["type"] == nil else { return }
        schema = ["type": "object", "properties": [:], "required": [], "additionalProperties": false]
    }

    var place: String { path.isEmpty ? "the top" : path.map(\.stringValue).joined(separator: ".") }

    private func scalar<T>(_ type: T.Type) -> T? {
        let name: String
        let value: Any
        switch type {
        case is String.Type: (name, value) = ("string", "")
        case is Bool.Type: (name, value) = ("boolean", false)
        case is Double.Type: (name, value) = ("number", 0.0)
        case is Float.Type: (name, value) = ("number", Float(0))
        case let integer as any FixedWidthInteger.Type: (name, value) = ("integer", integer.init(0))
        default: return nil
        }
        guard let value = value as? T else { return nil }
        schema["type"] = .string(name)
        return value
    }

    private func enumeration<T>(_ type: T.Type) throws -> T? {
        guard let cases = type as? any CaseIterable.Type else { return nil }
        let all = Self.all(cases)
        guard let first = all.first as? T else { return nil }
        let values = all.compactMap(Self.rawValue)
        guard values.count == all.count else { return nil }
        if values.allSatisfy({ $0.string != nil }) {
            schema["type"] = "string"
        } else {
            schema["type"] = "integer"
        }
        schema["enum"] = .array(values)
        return first
    }

    private static func all<C: CaseIterable>(_ type: C.Type) -> [Any] { type.allCases.map { $0 as Any } }

    private static func rawValue(_ value: Any) -> JSONValue? {
        guard let value = value as? any RawRepresentable else { return nil }
        return switch value.rawValue as Any {
        case let text as String: .string(text)
        case let number as any BinaryInteger: .number(number)
        default: nil
        }
    }
}

struct ProbeKey: CodingKey {
    let stringValue: String
    var intValue: Int? { nil }

    init(_ text: String) { stringValue = text }
    init(index: Int) { stringValue = "[\(index)]" }
    init?(stringValue: String) { self.stringValue = stringValue }
    init?(intValue: Int) { stringValue = "[\(intValue)]" }
}

protocol ProbedArray {
    static var empty: Any { get }
    static func schema(in probe: SchemaProbe) throws -> JSONObject
}

protocol ProbedDictionary {
    static var empty: Any { get }
    static func schema(in probe: SchemaProbe) throws -> JSONObject
}

protocol ProbedOptional {
    static var absent: Any { get }
    static func schema(in probe: SchemaProbe) throws -> JSONObject
}

extension Array: ProbedArray where Element: Decodable {
    static var empty: Any { [Element]() }
    static func schema(in probe: SchemaProbe) throws -> JSONObject {
        _ = try probe.value(Element.self)
        return probe.schema
    }
}

extension Dictionary: ProbedDictionary where Key == String, Value: Decodable {
    static var empty: Any { [String: Value]() }
    static func schema(in probe: SchemaProbe) throws -> JSONObject {
        _ = try probe.value(Value.self)
        return probe.schema
    }
}

extension Optional: ProbedOptional where Wrapped: Decodable {
    static var absent: Any { Self(nilLiteral: ()) as Any }
    static func schema(in probe: SchemaProbe) throws -> JSONObject {
        _ = try probe.value(Wrapped.self)
        return probe.schema
    }
}
