// Part of Rollcall. SPDX-License-Identifier: Apache-2.0

/// Whole numbers in as few bytes as they need: seven bits a byte, the lowest first.
package enum VariableInteger {
    package static func append(_ number: Int, to bytes: inout [UInt8]) {
        var rest = UInt64(bitPattern: Int64(number))
        while rest >= 0x80 {
            bytes.append(UInt8(truncatingIfNeeded: rest) | 0x80)
            rest >>= 7
        }
        bytes.append(UInt8(rest))
    }
}

/// Reads what ``VariableInteger`` wrote. Everything is `nil` where the bytes are not that.
package struct VariableIntegerReader {
    private let bytes: [UInt8]
    private var position = 0

    package init(_ bytes: [UInt8]) { self.bytes = bytes }

    package var isAtEnd: Bool { position == bytes.count }

    package mutating func next() -> Int? {
        var number: UInt64 = 0
        var shift: UInt64 = 0
        while position < bytes.count, shift < 64 {
            let byte = bytes[position]
            position += 1
            number |= UInt64(byte & 0x7F) << shift
            if byte < 0x80 { return Int(exactly: Int64(bitPattern: number)).flatMap { $0 >= 0 ? $0 : nil } }
            shift += 7
        }
        return nil
    }

    package mutating func next(count: Int) -> ArraySlice<UInt8>? {
        guard count >= 0, count <= bytes.count - position else { return nil }
        defer { position += count }
        return bytes[position..<position + count]
    }

    package mutating func nextText() -> String? {
        next().flatMap { next(count: $0) }.map { String(decoding: $0, as: UTF8.self) }
    }
}
