// Part of Rollcall. SPDX-License-Identifier: Apache-2.0

import NIOCore

/// The lines of a head as they are put together, apart from the buffer that they go out in: a buffer takes several
/// times as long over each small piece.
struct HeadText {
    private(set) var bytes: [UInt8] = []

    init(capacity: Int) { bytes.reserveCapacity(capacity) }

    /// Words that stand in the program: no string is made of them.
    mutating func append(_ words: StaticString) {
        bytes.append(contentsOf: UnsafeBufferPointer(start: words.utf8Start, count: words.utf8CodeUnitCount))
    }

    mutating func append(text: some StringProtocol) { bytes.append(contentsOf: text.utf8) }

    // MARK: Fields

    mutating func append(_ name: StaticString, _ value: String) {
        append(name)
        append(": ")
        append(text: value)
        append("\r\n")
    }

    mutating func append(_ name: StaticString, _ value: Int) { append(name, String(value)) }

    /// A field of another head, as it stands there.
    mutating func append(_ field: HeaderFields.Field, of other: [UInt8]) {
        other.withUnsafeBufferPointer { other in
            let (name, value) = (field.name, field.value)
            if value.lowerBound == name.upperBound + 2, other[name.upperBound + 1] == UInt8(ascii: " ") {
                // As nearly all of them are written.
                bytes.append(contentsOf: UnsafeBufferPointer(rebasing: other[name.lowerBound..<value.upperBound]))
            } else {
                bytes.append(contentsOf: UnsafeBufferPointer(rebasing: other[name]))
                append(": ")
                bytes.append(contentsOf: UnsafeBufferPointer(rebasing: other[value]))
            }
        }
        append("\r\n")
    }

    /// The head with a body behind it.
    func buffer(with body: [UInt8]) -> ByteBuffer {
        var buffer = ByteBufferAllocator().buffer(capacity: bytes.count + body.count)
        buffer.writeBytes(bytes)
        buffer.writeBytes(body)
        return buffer
    }
}
