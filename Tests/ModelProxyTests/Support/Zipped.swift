// Part of Rollcall. SPDX-License-Identifier: Apache-2.0

import CZlib

/// What a compressing upstream sends.
enum Zipped {
    struct Failed: Error {}

    static func gzip(_ bytes: [UInt8]) throws -> [UInt8] { try compressed(bytes, windowBits: 31) }

    /// - Parameter windowBits: 31 for gzip, 15 for zlib, -15 for neither's header.
    static func compressed(_ bytes: [UInt8], windowBits: Int32) throws -> [UInt8] {
        var stream = z_stream()
        guard rollcall_deflate_init(&stream, windowBits) == Z_OK else { throw Failed() }
        defer { deflateEnd(&stream) }
        var input = bytes
        var output = [UInt8](repeating: 0, count: bytes.count + 1024)
        let count = output.count
        input.withUnsafeMutableBufferPointer { source in
            output.withUnsafeMutableBufferPointer { target in
                stream.next_in = source.baseAddress
                stream.avail_in = UInt32(source.count)
                stream.next_out = target.baseAddress
                stream.avail_out = UInt32(target.count)
                _ = deflate(&stream, Z_FINISH)
            }
        }
        return Array(output[..<(count - Int(stream.avail_out))])
    }
}
