// Part of Rollcall. SPDX-License-Identifier: Apache-2.0

import CZlib
package import NIOCore

/// Inflates gzip and deflate piece by piece.
package final class Inflater {
    package enum Encoding: Sendable {
        case identity, gzip, deflate
        /// Not one that can be undone here.
        case other(String)

        /// - Parameter value: that of `Content-Encoding`.
        init(_ value: String?) {
            switch value?.lowercased().filter({ $0 != " " }) {
            case nil, "", "identity": self = .identity
            case "gzip", "x-gzip": self = .gzip
            case "deflate": self = .deflate
            default: self = .other(value ?? "")
            }
        }
    }

    package struct Failure: Error {
        package var sentence: String
    }

    private var stream = z_stream()
    private let maximumBytes: Int
    private var total = 0
    private var hasStarted = false
    private var hasEnded = false

    /// - Parameter maximumBytes: more than this is a ``Failure``.
    package init(maximumBytes: Int) { self.maximumBytes = maximumBytes }

    deinit { if hasStarted { inflateEnd(&stream) } }

    /// What the bytes inflate to, as far as they come.
    package func inflate(_ input: ByteBufferView) throws(Failure) -> [UInt8] {
        guard let first = input.first, !hasEnded else { return [] }
        if !hasStarted {
            // 47 tells gzip from zlib by itself; "deflate" is sent without a header too.
            let isZlib = first == 0x78
            let isGzip = first == 0x1F
            let window: Int32 = isGzip || isZlib ? 47 : -15
            guard rollcall_inflate_init(&stream, window) == Z_OK else { throw Failure(sentence: "zlib has no memory") }
            hasStarted = true
        }
        var output: [UInt8] = []
        var input = Array(input)
        var status = Z_OK
        input.withUnsafeMutableBufferPointer { bytes in
            stream.next_in = bytes.baseAddress
            stream.avail_in = UInt32(bytes.count)
            repeat {
                let room = 16 << 10
                let piece = [UInt8](unsafeUninitializedCapacity: room) { target, count in
                    stream.next_out = target.baseAddress
                    stream.avail_out = UInt32(room)
                    status = CZlib.inflate(&stream, Z_NO_FLUSH)
                    count = room - Int(stream.avail_out)
                }
                output += piece
                total += piece.count
            } while status == Z_OK && (stream.avail_in > 0 || stream.avail_out == 0) && total <= maximumBytes
            stream.next_in = nil
            stream.next_out = nil
        }
        guard total <= maximumBytes else { throw Failure(sentence: "it inflates to more than \(maximumBytes) bytes") }
        switch status {
        case Z_STREAM_END: hasEnded = true
        case Z_OK, Z_BUF_ERROR: break
        default: throw Failure(sentence: "it is not what its Content-Encoding says")
        }
        return output
    }
}
