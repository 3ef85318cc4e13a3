// Part of Rollcall. SPDX-License-Identifier: Apache-2.0

import NIOCore

/// Finds the pieces of one message's body and its end, cut anywhere. Trailers are read and dropped.
///
/// Strict, so that a body cannot be taken for the next message's head: lines end in CRLF, sizes are hexadecimal digits.
struct BodyFraming {
    enum Piece {
        case bytes(ByteBuffer)
        case end
    }

    /// Bytes of the line before a chunk, at most.
    private static let maximumChunkLineBytes = 1024

    private enum State {
        case fixed(remaining: Int)
        case chunkSize
        case chunk(remaining: Int)
        case chunkEnd
        case trailers(total: Int)
        case untilClose
        /// All but the end has been told.
        case atEnd
        case ended
    }

    private var state: State
    private let maximumTrailerBytes: Int
    /// Whether spaces may stand behind a chunk's size, which some servers fill it up with.
    private let takesPaddedSizes: Bool

    init(_ length: BodyLength, maximumTrailerBytes: Int, takesPaddedSizes: Bool) {
        self.maximumTrailerBytes = maximumTrailerBytes
        self.takesPaddedSizes = takesPaddedSizes
        state =
            switch length {
            case .none, .length(0): .atEnd
            case .length(let length): .fixed(remaining: length)
            case .chunked: .chunkSize
            case .untilClose: .untilClose
            }
    }

    var hasEnded: Bool { if case .ended = state { true } else { false } }

    /// The next piece, whose bytes are taken from the buffer; `nil` when more are needed, and after the end.
    mutating func next(_ buffer: inout ByteBuffer) throws(FramingError) -> Piece? {
        while true {
            switch state {
            case .fixed(let remaining):
                guard let piece = Self.take(remaining, from: &buffer) else { return nil }
                let rest = remaining - piece.readableBytes
                state = rest == 0 ? .atEnd : .fixed(remaining: rest)
                return .bytes(piece)
            case .chunkSize:
                guard let line = try Self.line(&buffer, maximum: Self.maximumChunkLineBytes) else { return nil }
                let size = try chunkSize(line)
                state = size == 0 ? .trailers(total: 0) : .chunk(remaining: size)
            case .chunk(let remaining):
                guard let piece = Self.take(remaining, from: &buffer) else { return nil }
                let rest = remaining - piece.readableBytes
                state = rest == 0 ? .chunkEnd : .chunk(remaining: rest)
                return .bytes(piece)
            case .chunkEnd:
                let end = buffer.readableBytesView.prefix(2)
                guard end.elementsEqual([0x0D, 0x0A].prefix(end.count)) else {
                    throw FramingError("a chunk is longer than its size says")
                }
                guard end.count == 2 else { return nil }
                buffer.moveReaderIndex(forwardBy: 2)
                state = .chunkSize
            case .trailers(let total):
                guard let line = try Self.line(&buffer, maximum: maximumTrailerBytes - total) else { return nil }
                if line.readableBytes == 0 {
                    state = .atEnd
                } else {
                    try Self.checkTrailer(line)
                    state = .trailers(total: total + line.readableBytes + 2)
                }
            case .untilClose:
                return Self.take(.max, from: &buffer).map { .bytes($0) }
            case .atEnd:
                state = .ended
                return .end
            case .ended: return nil
            }
        }
    }

    /// The connection has ended: whether the body has with it.
    mutating func inputEnded() -> Bool {
        guard case .untilClose = state else { return false }
        state = .ended
        return true
    }

    private static func take(_ most: Int, from buffer: inout ByteBuffer) -> ByteBuffer? {
        guard buffer.readableBytes > 0 else { return nil }
        return buffer.readSlice(length: min(most, buffer.readableBytes))
    }

    /// A line without its CRLF.
    private static func line(_ buffer: inout ByteBuffer, maximum: Int) throws(FramingError) -> ByteBuffer? {
        let view = buffer.readableBytesView
        guard let end = view.prefix(max(0, maximum) + 2).firstIndex(of: 0x0A) else {
            guard view.count < maximum + 2 else { throw FramingError("a line within the body is too long") }
            return nil
        }
        let length = end - view.startIndex
        guard length > 0, view[end - 1] == 0x0D else { throw FramingError("a line ends in a bare LF") }
        let line = buffer.readSlice(length: length - 1)
        buffer.moveReaderIndex(forwardBy: 2)
        return line
    }

    private static func checkTrailer(_ line: ByteBuffer) throws(FramingError) {
        // With an end as a head's lines have it.
        let bytes = Array(line.readableBytesView) + [0x0D, 0x0A]
        var position = 0
        let field = try HeadLines.field(bytes.span, try HeadLines.next(bytes.span, &position))
        guard !bytes.isSame(field.name, as: "content-length"), !bytes.isSame(field.name, as: "transfer-encoding")
        else { throw FramingError("a length stands behind the body") }
    }

    private func chunkSize(_ line: ByteBuffer) throws(FramingError) -> Int {
        var size = 0
        var digits = 0
        for byte in line.readableBytesView {
            guard let digit = Self.hexadecimal(byte) else {
                // An extension may follow.
                guard byte == UInt8(ascii: ";") || (takesPaddedSizes && byte == 0x20) else {
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
