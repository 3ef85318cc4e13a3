// Part of Rollcall. SPDX-License-Identifier: Apache-2.0

/// The fields of a head in their order and letters, over the head's own bytes: a field costs no memory of its own.
package struct HeaderFields: Sendable, Equatable {
    /// Where a field stands in the bytes.
    struct Field: Sendable, Equatable {
        private let nameStart, nameEnd, valueStart, valueEnd: Int32

        /// - Precondition: The places are below 2³¹, as those of all heads are.
        init(name: Range<Int>, value: Range<Int>) {
            nameStart = Int32(name.lowerBound)
            nameEnd = Int32(name.upperBound)
            valueStart = Int32(value.lowerBound)
            valueEnd = Int32(value.upperBound)
        }

        var name: Range<Int> { Int(nameStart)..<Int(nameEnd) }
        var value: Range<Int> { Int(valueStart)..<Int(valueEnd) }
    }

    let bytes: [UInt8]
    private(set) var fields: [Field]

    init(_ fields: [Field], in bytes: [UInt8]) {
        self.bytes = bytes
        self.fields = fields
    }

    /// The value of the first field with this name, which is lower case.
    package func first(name: StaticString) -> String? {
        for field in fields where bytes.isSame(field.name, as: name) {
            return String(decoding: bytes[field.value], as: UTF8.self)
        }
        return nil
    }

    package mutating func remove(name: StaticString) { fields.removeAll { bytes.isSame($0.name, as: name) } }

    /// All of them as strings.
    package var strings: [(String, String)] {
        fields.map {
            (String(decoding: bytes[$0.name], as: UTF8.self), String(decoding: bytes[$0.value], as: UTF8.self))
        }
    }
}

extension HeaderFields: ExpressibleByDictionaryLiteral {
    package init(dictionaryLiteral elements: (String, String)...) {
        var bytes: [UInt8] = []
        var fields: [Field] = []
        for (name, value) in elements {
            let start = bytes.count
            bytes += name.utf8
            let middle = bytes.count
            bytes += value.utf8
            fields.append(Field(name: start..<middle, value: middle..<bytes.count))
        }
        self.init(fields, in: bytes)
    }
}

extension [UInt8] {
    /// Whether the letters of `text`, which is lower case, stand at `range`, in either case.
    func isSame(_ range: Range<Int>, as text: StaticString) -> Bool {
        guard range.count == text.utf8CodeUnitCount else { return false }
        return withUnsafeBufferPointer { bytes in
            for index in 0..<range.count where bytes[range.lowerBound + index].lowercased != text.utf8Start[index] {
                return false
            }
            return true
        }
    }
}

extension UInt8 {
    /// Of a letter from A to Z the small one.
    var lowercased: UInt8 { (UInt8(ascii: "A")...UInt8(ascii: "Z")).contains(self) ? self | 0x20 : self }
}
