// Part of Rollcall. SPDX-License-Identifier: Apache-2.0

package import NIOCore

/// Finds head, body and end of one HTTP/1.1 answer in its bytes, cut anywhere.
///
/// Its length is told by one `Content-Length`, by `chunked` alone, or by the connection's end. Answers of the 1xx kind
/// are skipped.
package struct ResponseFraming: Sendable {
    package enum Event: Sendable, Equatable {
        case head(ResponseHead)
        case body(ByteBuffer)
        case end
    }

    /// Bytes of a head, or of all trailers, at most.
    package static let maximumHeadBytes = 64 << 10

    private let isAnswerToHEAD: Bool
    private var search = HeadSearch()
    /// `nil` while the head has not come.
    private var body: BodyFraming?

    package init(isAnswerToHEAD: Bool = false) { self.isAnswerToHEAD = isAnswerToHEAD }

    /// The next event that the bytes hold, which are taken from the buffer; `nil` when more are needed. What is in
    /// the buffer after the end is not the answer's.
    package mutating func next(_ buffer: inout ByteBuffer) throws(FramingError) -> Event? {
        while body == nil {
            guard let head = try head(&buffer) else { return nil }
            if head.status < 200 {
                guard head.status != 101 else { throw FramingError("it switches protocols unasked") }
                continue
            }
            body = BodyFraming(head.length, maximumTrailerBytes: Self.maximumHeadBytes, takesPaddedSizes: true)
            return .head(head)
        }
        switch try body?.next(&buffer) {
        case .bytes(let bytes): return .body(bytes)
        case .end: return .end
        case nil: return nil
        }
    }

    /// The connection has ended.
    ///
    /// - Throws: ``FramingError`` when the answer has not.
    package mutating func inputEnded() throws(FramingError) -> Event? {
        guard body != nil else { throw FramingError("it closed the connection before it answered") }
        if body?.hasEnded == true { return nil }
        guard body?.inputEnded() == true else {
            throw FramingError("it closed the connection before its answer was whole")
        }
        return .end
    }

    private mutating func head(_ buffer: inout ByteBuffer) throws(FramingError) -> ResponseHead? {
        let length = try search.length(buffer)
        guard (length ?? buffer.readableBytes) <= Self.maximumHeadBytes else {
            throw FramingError("the head of its answer is longer than \(Self.maximumHeadBytes) bytes")
        }
        guard let length, let bytes = buffer.readBytes(length: length) else {
            // Something else than HTTP is told at once, not after 64 kB of it.
            try ResponseHead.checkBeginning(buffer.readableBytesView)
            return nil
        }
        search = HeadSearch()
        return try ResponseHead(parsing: bytes, isAnswerToHEAD: isAnswerToHEAD)
    }
}
