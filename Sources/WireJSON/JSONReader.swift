// Part of Rollcall. SPDX-License-Identifier: Apache-2.0

/// A value in a document together with its path, so that whoever finds it wrong can say where it stands.
public struct JSONReader: Sendable {
    /// The value, or `nil` where the document has none.
    public let value: JSONValue?
    public let path: JSONPath

    public init(_ value: JSONValue?, path: JSONPath = .root) {
        self.value = value
        self.path = path
    }

    /// The member `key`; a reader of nothing where there is none.
    public subscript(key: String) -> JSONReader { JSONReader(value?[key], path: path.key(key)) }

    /// Whether the value is missing or `null`.
    public var isAbsent: Bool { value == nil || value == .null }

    /// The reader itself, or `nil` where the value is missing or `null`.
    public var present: JSONReader? { isAbsent ? nil : self }

    public func error(expected: String) -> JSONDecodingError {
        JSONDecodingError(path: path, found: value, expected: expected)
    }

    public func string() throws(JSONDecodingError) -> String {
        guard let string = value?.string else { throw error(expected: "a string") }
        return string
    }

    public func nonEmptyString() throws(JSONDecodingError) -> String {
        guard let string = value?.string, !string.isEmpty else { throw error(expected: "a non-empty string") }
        return string
    }

    public func bool() throws(JSONDecodingError) -> Bool {
        guard let bool = value?.bool else { throw error(expected: "true or false") }
        return bool
    }

    public func int() throws(JSONDecodingError) -> Int {
        guard let int = value?.int else { throw error(expected: "an integer") }
        return int
    }

    public func double() throws(JSONDecodingError) -> Double {
        guard let double = value?.double else { throw error(expected: "a number") }
        return double
    }

    public func object() throws(JSONDecodingError) -> JSONObject {
        guard let object = value?.object else { throw error(expected: "an object") }
        return object
    }

    public func elements() throws(JSONDecodingError) -> [JSONReader] {
        guard let array = value?.array else { throw error(expected: "an array") }
        return array.enumerated().map { JSONReader($0.element, path: path.index($0.offset)) }
    }

    public func decode<Value: JSONConvertible>(
        _ type: Value.Type = Value.self
    ) throws(JSONDecodingError) -> Value {
        try Value(from: self)
    }

    public func decodeElements<Value: JSONConvertible>(
        _ type: Value.Type = Value.self
    ) throws(JSONDecodingError) -> [Value] {
        var values: [Value] = []
        for element in try elements() { values.append(try Value(from: element)) }
        return values
    }
}
