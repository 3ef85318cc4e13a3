// Part of Rollcall. SPDX-License-Identifier: Apache-2.0

package import NIOCore

/// Finds head, body and end of one request after the other in a connection's bytes, cut anywhere.
package struct RequestFraming: Sendable {
    package enum Event: Sendable {
        case head(RequestHead)
        case body(ByteBuffer)
        case end
    }

    package enum Fault: Error, Sendable, Equatable {
        case notHTTP(FramingError)
        case headTooLarge
    }

    private let maximumHeadBytes: Int
    private let maximumFields: Int
    private var search = HeadSearch()
    /// `nil` before a head.
    private var body: BodyFraming?
    /// Whether a part of a head has come, or a request's end has not.
    private(set) var isWithinRequest = false
    var isWithinBody: Bool { body != nil }

    package init(maximumHeadBytes: Int, maximumFields: Int) {
        self.maximumHeadBytes = maximumHeadBytes
        self.maximumFields = maximumFields
    }

    /// The next event that the bytes hold, which are taken from the buffer; `nil` when more are needed.
    package mutating func next(_ buffer: inout ByteBuffer) throws(Fault) -> Event? {
        guard body != nil else { return try head(&buffer) }
        do throws(FramingError) {
            switch try body?.next(&buffer) {
            case .bytes(let bytes): return .body(bytes)
            case .end:
                body = nil
                isWithinRequest = false
                return .end
            case nil: return nil
            }
        } catch {
            throw .notHTTP(error)
        }
    }

    private mutating func head(_ buffer: inout ByteBuffer) throws(Fault) -> Event? {
        if !isWithinRequest {
            Self.skipEmptyLines(&buffer)
            // The beginning of one more, or nothing.
            if buffer.readableBytesView.elementsEqual([0x0D].prefix(buffer.readableBytes)) { return nil }
            isWithinRequest = true
        }
        do throws(FramingError) {
            let length = try search.length(buffer)
            if (length ?? buffer.readableBytes) <= maximumHeadBytes {
                guard let length, let bytes = buffer.readBytes(length: length) else {
                    // Something else than HTTP is told at once.
                    try RequestHead.checkBeginning(buffer.readableBytesView)
                    return nil
                }
                search = HeadSearch()
                let head = try RequestHead(parsing: bytes)
                if head.headers.fields.count <= maximumFields {
                    body = BodyFraming(head.length, maximumTrailerBytes: maximumHeadBytes, takesPaddedSizes: false)
                    return .head(head)
                }
            }
        } catch {
            throw .notHTTP(error)
        }
        throw .headTooLarge
    }

    /// Some clients send an empty line more behind a body.
    private static func skipEmptyLines(_ buffer: inout ByteBuffer) {
        while buffer.getInteger(at: buffer.readerIndex, as: UInt16.self) == 0x0D0A {
            buffer.moveReaderIndex(forwardBy: 2)
        }
    }
}
