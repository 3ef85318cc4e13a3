// Part of Rollcall. SPDX-License-Identifier: Apache-2.0

import CZstd
import EvalProtocol

/// Unpacks zstd frames, compressed ones too.
enum ZstandardDecoder {
    /// More than any payload of a model call needs; a small frame can claim any size.
    static let maximumBytes = 1 << 30

    /// - Throws: `PayloadError` when the bytes are not one or more whole frames, or hold more than `maximumBytes`.
    static func content(of frame: [UInt8], maximumBytes: Int = maximumBytes) throws -> [UInt8] {
        guard let stream = ZSTD_createDCtx() else { throw PayloadError("there is no memory for the zstd decoder") }
        defer { ZSTD_freeDCtx(stream) }
        var content: [UInt8] = []
        var chunk = [UInt8](repeating: 0, count: ZSTD_DStreamOutSize())
        var position = 0
        // 0 at the end of a frame; a hint of how much more it wants within one.
        var state = 1
        while position < frame.count || state != 0 {
            var (read, written) = (0, 0)
            let wasAtEnd = position == frame.count
            state = frame.withUnsafeBytes { source in
                chunk.withUnsafeMutableBytes { target in
                    var input = ZSTD_inBuffer(src: source.baseAddress, size: source.count, pos: position)
                    var output = ZSTD_outBuffer(dst: target.baseAddress, size: target.count, pos: 0)
                    let state = ZSTD_decompressStream(stream, &output, &input)
                    (read, written) = (input.pos, output.pos)
                    return state
                }
            }
            guard ZSTD_isError(state) == 0 else {
                throw PayloadError("the data is not a zstd frame: \(String(cString: ZSTD_getErrorName(state)))")
            }
            position = read
            content.append(contentsOf: chunk[..<written])
            guard content.count <= maximumBytes else {
                throw PayloadError("the zstd frame holds more than \(maximumBytes) bytes")
            }
            if wasAtEnd, written == 0, state != 0 { throw PayloadError("the zstd frame is cut short") }
        }
        return content
    }
}
