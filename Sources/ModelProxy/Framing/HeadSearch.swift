// Part of Rollcall. SPDX-License-Identifier: Apache-2.0

import NIOCore

#if canImport(Darwin)
import Darwin
#elseif canImport(Musl)
import Musl
#else
import Glibc
#endif

/// Looks for the end of a head in bytes that come little by little, each of them once.
struct HeadSearch {
    /// How many bytes have been searched already.
    private var searched = 0
    /// Where the line begins that the next LF ends.
    private var lineStart = 0

    /// The length of the head with its empty line, when all of it is there.
    ///
    /// - Throws: When a line ends in a bare LF: the head's end would be waited for in vain.
    mutating func length(_ buffer: ByteBuffer) throws(FramingError) -> Int? {
        var hasBareLF = false
        let found: Int? = buffer.withUnsafeReadableBytes { bytes in
            guard let base = bytes.baseAddress else { return nil }
            while searched < bytes.count {
                guard let place = memchr(base + searched, 0x0A, bytes.count - searched) else {
                    searched = bytes.count
                    return nil
                }
                let index = UnsafeRawPointer(place) - base
                guard index > lineStart, bytes[index - 1] == 0x0D else {
                    hasBareLF = true
                    return nil
                }
                searched = index + 1
                if index == lineStart + 1 { return index + 1 }
                lineStart = index + 1
            }
            return nil
        }
        if hasBareLF { throw FramingError("a line of the head ends in a bare LF") }
        return found
    }
}
