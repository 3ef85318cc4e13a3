// Part of Rollcall. SPDX-License-Identifier: Apache-2.0

/// Reads the binary form of payloads, front to back.
struct LittleEndianReader {
    private let data: [UInt8]
    private var position = 0

    init(_ data: [UInt8]) { self.data = data }

    var isAtEnd: Bool { position == data.count }

    mutating func bytes(_ count: Int) throws(PayloadError) -> ArraySlice<UInt8> {
        guard count >= 0, data.count - position >= count else {
            throw PayloadError("the data ends at byte \(data.count), within a field that begins at \(position)")
        }
        defer { position += count }
        return data[position..<position + count]
    }

    mutating func integer<T: FixedWidthInteger>(_ type: T.Type) throws(PayloadError) -> T {
        try bytes(T.bitWidth / 8).reversed().reduce(T.zero) { $0 << 8 | T(truncatingIfNeeded: $1) }
    }
}

extension [UInt8] {
    mutating func appendLittleEndian<T: FixedWidthInteger>(_ integer: T) {
        for shift in stride(from: 0, to: T.bitWidth, by: 8) { append(UInt8(truncatingIfNeeded: integer >> shift)) }
    }
}
