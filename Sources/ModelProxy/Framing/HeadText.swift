// Part of Rollcall. SPDX-License-Identifier: Apache-2.0

import NIOCore

/// The lines of a head as they are put together, apart from the buffer that they go out in: a buffer takes several
/// times as long over each small piece.
struct HeadText {
    private(set) var bytes: [UInt8] = []

    init(capacity: Int) { bytes.reserveCapacity(capacity) }

    mutating func append(_ text: StaticString) {
        bytes.append(contentsOf: UnsafeBufferPointer(start: text.utf8Start, count: text.utf8CodeUnitCount))
    }

    mutating func append(_ text: String) { bytes += text.utf8 }

    mutating func append(_ text: Substring) { bytes += text.utf8 }

    // MARK: Fields

    mutating func append(_ name: StaticString, _ value: String) {
        append(name)
        append(": ")
        append(value)
        append("\r\n")
    }

    mutating func append(_ name: StaticString, _ value: Int) { append(name, String(value)) }

    /// A field of another head, as it stands there.
    mutating func append(_ field: HeaderFields.Field, of other: [UInt8]) {
        bytes += other[field.name]
        append(": ")
        bytes += other[field.value]
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
