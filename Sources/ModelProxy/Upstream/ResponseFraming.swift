// Part of Rollcall. SPDX-License-Identifier: Apache-2.0

package import NIOCore

/// Finds head, body and end of one HTTP/1.1 answer in its bytes, cut anywhere.
///
/// Strict, so that a body cannot be taken for the next answer's head: lines end in CRLF, no header is folded, the
/// length is told by one `Content-Length`, by `chunked` alone, or by the connection's end. Answers of the 1xx kind
/// are skipped. Trailers are read and dropped.
package struct ResponseFraming: Sendable {
    package enum Event: Sendable, Equatable {
        case head(ResponseHead)
        case body(ByteBuffer)
        case end
    }

    /// Bytes of a head, or of all trailers, at most.
    package static let maximumHeadBytes = 64 << 10
    /// Bytes of the line before a chunk, at most.
    static let maximumChunkLineBytes = 1024

    private enum State {
        case head
        case fixed(remaining: Int)
        case chunkSize
        case chunk(remaining: Int)
        case chunkEnd
        case trailers(total: Int)
        case untilClose
        case end
    }

    private let isAnswerToHEAD: Bool
    private var state = State.head
    /// How many unread bytes have been searched for the end of the head already.
    private var searched = 0

    package init(isAnswerToHEAD: Bool = false) { self.isAnswerToHEAD = isAnswerToHEAD }

    /// Whether the answer has ended.
    package var isComplete: Bool {
        if case .end = state { true } else { false }
    }

    /// The next event that the bytes hold, which are taken from the buffer; `nil` when more are needed. What is in
    /// the buffer after the end is not the answer's.
    package mutating func next(_ buffer: inout ByteBuffer) throws(FramingError) -> Event? {
        while true {
            switch state {
            case .head:
                guard let length = try headLength(buffer) else { return nil }
                guard let bytes = buffer.readSlice(length: length) else { return nil }
                searched = 0
                let head = try ResponseHeadParser.parse(bytes, isAnswerToHEAD: isAnswerToHEAD)
                if head.status < 200 {
                    guard head.status != 101 else { throw FramingError("the upstream switches protocols unasked") }
                    continue
                }
                switch head.framing {
                case .none, .length(0): state = .end
                case .length(let length): state = .fixed(remaining: length)
                case .chunked: state = .chunkSize
                case .untilClose: state = .untilClose
                }
                pendingEnd = isComplete
                return .head(head)
            case .fixed(let remaining):
                guard let piece = Self.take(remaining, from: &buffer) else { return nil }
                if piece.readableBytes == remaining {
                    state = .end
                    pendingEnd = true
                } else {
                    state = .fixed(remaining: remaining - piece.readableBytes)
                }
                return .body(piece)
            case .chunkSize:
                guard let line = try Self.line(&buffer, maximum: Self.maximumChunkLineBytes) else { return nil }
                let size = try Self.chunkSize(line)
                state = size == 0 ? .trailers(total: 0) : .chunk(remaining: size)
            case .chunk(let remaining):
                guard let piece = Self.take(remaining, from: &buffer) else { return nil }
                state =
                    piece.readableBytes == remaining ? .chunkEnd : .chunk(remaining: remaining - piece.readableBytes)
                return .body(piece)
            case .chunkEnd:
                guard let line = try Self.line(&buffer, maximum: 2) else { return nil }
                guard line.readableBytes == 0 else { throw FramingError("a chunk is longer than its size says") }
                state = .chunkSize
            case .trailers(let total):
                guard let line = try Self.line(&buffer, maximum: Self.maximumHeadBytes - total) else { return nil }
                guard line.readableBytes > 0 else {
                    state = .end
                    return .end
                }
                try ResponseHeadParser.checkField(line)
                state = .trailers(total: total + line.readableBytes + 2)
            case .untilClose:
                guard let piece = Self.take(.max, from: &buffer) else { return nil }
                return .body(piece)
            case .end:
                guard pendingEnd else { return nil }
                pendingEnd = false
                return .end
            }
        }
    }

    /// Whether ``Event/end`` is still to be told.
    private var pendingEnd = false

    /// The connection has ended.
    ///
    /// - Throws: ``FramingError`` when the answer has not.
    package mutating func inputEnded() throws(FramingError) -> Event? {
        switch state {
        case .untilClose:
            state = .end
            return .end
        case .end: return nil
        case .head: throw FramingError("the upstream closed the connection before it answered")
        default: throw FramingError("the upstream closed the connection before its answer was whole")
        }
    }

    /// The length of the head with its empty line, when all of it is there.
    private mutating func headLength(_ buffer: ByteBuffer) throws(FramingError) -> Int? {
        let length: Int? = buffer.withUnsafeReadableBytes { bytes in
            var index = max(0, searched - 3)
            while index + 3 < bytes.count {
                if bytes[index + 3] != 0x0A {
                    index += 1
                } else if bytes[index + 2] == 0x0D, bytes[index + 1] == 0x0A, bytes[index] == 0x0D {
                    return index + 4
                } else {
                    index += 1
                }
            }
            return nil
        }
        guard (length ?? buffer.readableBytes) <= Self.maximumHeadBytes else {
            throw FramingError("the head of the upstream's answer is longer than \(Self.maximumHeadBytes) bytes")
        }
        if length == nil {
            // Something else than HTTP is told at once, not after 64 kB of it.
            try ResponseHeadParser.checkBeginning(buffer)
            searched = buffer.readableBytes
        }
        return length
    }

    private static func take(_ most: Int, from buffer: inout ByteBuffer) -> ByteBuffer? {
        guard buffer.readableBytes > 0 else { return nil }
        return buffer.readSlice(length: min(most, buffer.readableBytes))
    }

    /// A line without its CRLF.
    private static func line(_ buffer: inout ByteBuffer, maximum: Int) throws(FramingError) -> ByteBuffer? {
        let view = buffer.readableBytesView
        guard let end = view.prefix(maximum + 2).firstIndex(of: 0x0A) else {
            guard view.count < maximum + 2 else {
                throw FramingError("a line within the upstream's answer is too long")
            }
            return nil
        }
        let length = end - view.startIndex
        guard length > 0, view[end - 1] == 0x0D else { throw FramingError("a line ends in a bare LF") }
        let line = buffer.readSlice(length: length - 1)
        buffer.moveReaderIndex(forwardBy: 2)
        return line
    }

    private static func chunkSize(_ line: ByteBuffer) throws(FramingError) -> Int {
        var size = 0
        var digits = 0
        for byte in line.readableBytesView {
            guard let digit = hexadecimal(byte) else {
                // An extension may follow, after spaces that some servers fill the size up with.
                guard byte == UInt8(ascii: ";") || byte == 0x20 else {
                    throw FramingError("a chunk's size is no number")
                }
                break
            }
            digits += 1
            guard digits <= 15 else { throw FramingError("a chunk's size is too large") }
            size = size << 4 | digit
        }
        guard digits > 0 else { throw FramingError("a chunk has no size") }
        guard !line.readableBytesView.contains(where: { $0 < 0x20 && $0 != 0x09 || $0 == 0x7F }) else {
            throw FramingError("the line before a chunk has a control character in it")
        }
        return size
    }

    private static func hexadecimal(_ byte: UInt8) -> Int? {
        switch byte {
        case UInt8(ascii: "0")...UInt8(ascii: "9"): Int(byte - UInt8(ascii: "0"))
        case UInt8(ascii: "a")...UInt8(ascii: "f"): Int(byte - UInt8(ascii: "a")) + 10
        case UInt8(ascii: "A")...UInt8(ascii: "F"): Int(byte - UInt8(ascii: "A")) + 10
        default: nil
        }
    }
}
