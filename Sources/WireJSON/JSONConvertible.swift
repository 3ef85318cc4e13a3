// Part of Rollcall. SPDX-License-Identifier: Apache-2.0

/// A type with one JSON form, read with paths in its errors and written without loss.
public protocol JSONConvertible: Sendable {
    init(from reader: JSONReader) throws(JSONDecodingError)
    var json: JSONValue { get }
}

extension JSONConvertible {
    /// - Throws: ``JSONError`` when the bytes are not JSON, ``JSONDecodingError`` when they are something else.
    public init(parsing bytes: [UInt8]) throws {
        try self.init(from: JSONReader(JSONValue(parsing: bytes)))
    }

    public func serialized() -> [UInt8] { json.serialized() }
}

extension JSONValue: JSONConvertible {
    public init(from reader: JSONReader) throws(JSONDecodingError) {
        guard let value = reader.value else { throw reader.error(expected: "any JSON value") }
        self = value
    }

    public var json: JSONValue { self }
}
