// Part of Rollcall. SPDX-License-Identifier: Apache-2.0

/// The top-level fields of a JSON object as ranges of its bytes, found in one pass that also validates the whole.
///
/// This is how the bytes of a request or an answer are looked into without being parsed and written again.
public struct JSONFields: Sendable {
    /// A member of the object: where its key and its value stand.
    public struct Field: Sendable, Hashable {
        /// The key's bytes, quotes included.
        public let key: Range<Int>
        /// The value's bytes, without the white space around it.
        public let value: Range<Int>
    }

    /// In the order of the document, repeated keys included.
    public let fields: [Field]

    /// Where the object's own bytes stand, braces included.
    public let object: Range<Int>

    /// Finds the fields of a document.
    ///
    /// - Throws: ``JSONError`` when the bytes are not one JSON document, or it is not an object.
    public init(of bytes: borrowing Span<UInt8>, maximumDepth: Int = JSONLimits.depth) throws(JSONError) {
        try self.init(ofObjectAt: 0..<bytes.count, in: bytes, maximumDepth: maximumDepth)
    }

    /// Finds the fields of an object within a document; the ranges count from the start of `bytes`.
    ///
    /// - Throws: ``JSONError`` when the bytes at `range` are not one JSON value, or it is not an object.
    public init(
        ofObjectAt range: Range<Int>, in bytes: borrowing Span<UInt8>, maximumDepth: Int = JSONLimits.depth
    ) throws(JSONError) {
        precondition(range.lowerBound >= 0 && range.upperBound <= bytes.count, "the range is outside the bytes")
        let result: Result<JSONFields, JSONError> = bytes.withUnsafeBufferPointer { buffer in
            var scanner = JSONScanner(buffer, from: range.lowerBound, to: range.upperBound)
            do throws(JSONError) {
                return .success(try JSONFields(scanning: &scanner, maximumDepth: maximumDepth))
            } catch {
                return .failure(error)
            }
        }
        self = try result.get()
    }

    private init(scanning scanner: inout JSONScanner, maximumDepth: Int) throws(JSONError) {
        scanner.skipWhiteSpace()
        let start = scanner.position
        guard scanner.current == UInt8(ascii: "{") else {
            try scanner.value(maximumDepth: maximumDepth)
            try scanner.documentEnd()
            throw JSONError(offset: start, reason: "an object was expected")
        }
        guard maximumDepth > 0 else { throw scanner.failure("nested too deeply") }
        scanner.position += 1
        scanner.skipWhiteSpace()
        var fields: [Field] = []
        if !scanner.take(UInt8(ascii: "}")) {
            fields.reserveCapacity(16)
            while true {
                scanner.skipWhiteSpace()
                let keyStart = scanner.position
                _ = try scanner.key()
                let key = keyStart..<scanner.position
                try scanner.colon()
                scanner.skipWhiteSpace()
                let valueStart = scanner.position
                try scanner.value(maximumDepth: maximumDepth - 1)
                fields.append(Field(key: key, value: valueStart..<scanner.position))
                scanner.skipWhiteSpace()
                if scanner.take(UInt8(ascii: ",")) { continue }
                if scanner.take(UInt8(ascii: "}")) { break }
                throw scanner.failure("a comma or } is missing after a member")
            }
        }
        object = start..<scanner.position
        self.fields = fields
        try scanner.documentEnd()
    }
}

extension JSONFields {
    /// The bytes of the last value of `name`, or `nil` where there is none. Keys count as what their escapes stand for.
    ///
    /// - Parameter bytes: The bytes the fields were found in.
    public func value(of name: String, in bytes: borrowing Span<UInt8>) -> Range<Int>? {
        bytes.withUnsafeBufferPointer { buffer in
            let found = name.utf8.withContiguousStorageIfAvailable { value(of: $0, in: buffer) }
            return found ?? Array(name.utf8).withUnsafeBufferPointer { value(of: $0, in: buffer) }
        }
    }

    private func value(of name: UnsafeBufferPointer<UInt8>, in bytes: UnsafeBufferPointer<UInt8>) -> Range<Int>? {
        var index = fields.count
        while index > 0 {
            index -= 1
            if fields[index].isNamed(name, in: bytes) { return fields[index].value }
        }
        return nil
    }
}

extension JSONFields.Field {
    /// Whether the key is `name` once its escapes are resolved.
    func isNamed(_ name: UnsafeBufferPointer<UInt8>, in bytes: UnsafeBufferPointer<UInt8>) -> Bool {
        let raw = UnsafeBufferPointer(rebasing: bytes[key.lowerBound + 1..<key.upperBound - 1])
        // An escape is longer than what it stands for.
        guard raw.count > name.count else {
            guard raw.count == name.count else { return false }
            for index in 0..<raw.count where raw[index] != name[index] { return false }
            return !raw.contains(UInt8(ascii: "\\"))
        }
        guard raw.contains(UInt8(ascii: "\\")) else { return false }
        return JSONString(escaped: raw).text.utf8.elementsEqual(name)
    }
}
