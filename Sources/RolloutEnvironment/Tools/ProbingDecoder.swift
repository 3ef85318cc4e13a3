// Part of Rollcall. SPDX-License-Identifier: Apache-2.0

import WireJSON

/// The decoder that a ``SchemaProbe`` hands to a type.
struct ProbingDecoder: Decoder {
    let probe: SchemaProbe
    var codingPath: [any CodingKey] { probe.path }
    var userInfo: [CodingUserInfoKey: Any] { [:] }

    func container<Key: CodingKey>(keyedBy type: Key.Type) throws -> KeyedDecodingContainer<Key> {
        probe.beginObject()
        return KeyedDecodingContainer(ProbingObject<Key>(probe: probe))
    }

    func unkeyedContainer() throws -> any UnkeyedDecodingContainer { throw unsupported("reads an array by itself") }

    func singleValueContainer() throws -> any SingleValueDecodingContainer { ProbingValue(probe: probe) }

    private func unsupported(_ what: String) -> ToolError {
        ToolError("The type at \(probe.place) \(what), which hides its JSON schema; write schema() yourself.")
    }
}

private struct ProbingValue: SingleValueDecodingContainer {
    let probe: SchemaProbe
    var codingPath: [any CodingKey] { probe.path }

    func decodeNil() -> Bool { false }
    func decode<T: Decodable>(_ type: T.Type) throws -> T { try probe.value(type) }
}

private struct ProbingObject<Key: CodingKey>: KeyedDecodingContainerProtocol {
    let probe: SchemaProbe
    var codingPath: [any CodingKey] { probe.path }
    var allKeys: [Key] { [] }

    func contains(_ key: Key) -> Bool { true }
    func decodeNil(forKey key: Key) throws -> Bool { false }

    func decode<T: Decodable>(_ type: T.Type, forKey key: Key) throws -> T {
        try property(type, key, isRequired: true)
    }

    func decodeIfPresent<T: Decodable>(_ type: T.Type, forKey key: Key) throws -> T? {
        try property(type, key, isRequired: false)
    }

    // The standard library has an overload a scalar, whose defaults do not pass through the generic one.
    func decodeIfPresent(_ type: Bool.Type, forKey key: Key) throws -> Bool? {
        try property(type, key, isRequired: false)
    }
    func decodeIfPresent(_ type: String.Type, forKey key: Key) throws -> String? {
        try property(type, key, isRequired: false)
    }
    func decodeIfPresent(_ type: Double.Type, forKey key: Key) throws -> Double? {
        try property(type, key, isRequired: false)
    }
    func decodeIfPresent(_ type: Float.Type, forKey key: Key) throws -> Float? {
        try property(type, key, isRequired: false)
    }
    func decodeIfPresent(_ type: Int.Type, forKey key: Key) throws -> Int? {
        try property(type, key, isRequired: false)
    }
    func decodeIfPresent(_ type: Int8.Type, forKey key: Key) throws -> Int8? {
        try property(type, key, isRequired: false)
    }
    func decodeIfPresent(_ type: Int16.Type, forKey key: Key) throws -> Int16? {
        try property(type, key, isRequired: false)
    }
    func decodeIfPresent(_ type: Int32.Type, forKey key: Key) throws -> Int32? {
        try property(type, key, isRequired: false)
    }
    func decodeIfPresent(_ type: Int64.Type, forKey key: Key) throws -> Int64? {
        try property(type, key, isRequired: false)
    }
    func decodeIfPresent(_ type: UInt.Type, forKey key: Key) throws -> UInt? {
        try property(type, key, isRequired: false)
    }
    func decodeIfPresent(_ type: UInt8.Type, forKey key: Key) throws -> UInt8? {
        try property(type, key, isRequired: false)
    }
    func decodeIfPresent(_ type: UInt16.Type, forKey key: Key) throws -> UInt16? {
        try property(type, key, isRequired: false)
    }
    func decodeIfPresent(_ type: UInt32.Type, forKey key: Key) throws -> UInt32? {
        try property(type, key, isRequired: false)
    }
    func decodeIfPresent(_ type: UInt64.Type, forKey key: Key) throws -> UInt64? {
        try property(type, key, isRequired: false)
    }

    func nestedContainer<Nested: CodingKey>(
        keyedBy type: Nested.Type, forKey key: Key
    ) throws -> KeyedDecodingContainer<Nested> { throw unsupported(key) }

    func nestedUnkeyedContainer(forKey key: Key) throws -> any UnkeyedDecodingContainer { throw unsupported(key) }
    func superDecoder() throws -> any Decoder { throw unsupported(ProbeKey("super")) }
    func superDecoder(forKey key: Key) throws -> any Decoder { throw unsupported(key) }

    private func property<T: Decodable>(_ type: T.Type, _ key: Key, isRequired: Bool) throws -> T {
        let child = probe.child(key)
        let value = try child.value(type)
        probe.note(child, as: key.stringValue, isRequired: isRequired && !(type is any ProbedOptional.Type))
        return value
    }

    private func unsupported(_ key: any CodingKey) -> ToolError {
        ToolError("\(probe.place) reads \(key.stringValue) in a nested container; write schema() yourself.")
    }
}
