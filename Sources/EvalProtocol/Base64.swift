// Part of Rollcall. SPDX-License-Identifier: Apache-2.0

/// Base64 as RFC 4648 has it: the standard alphabet of payloads, and the URL-safe one of paths.
package enum Base64 {
    package enum Alphabet: Sendable {
        case standard
        /// With `-` and `_` for `+` and `/`.
        case urlSafe
    }

    /// The bytes in Base64, with padding.
    package static func encoded(_ bytes: some Collection<UInt8>, alphabet: Alphabet = .standard) -> String {
        let digits = alphabet == .standard ? standardDigits : urlSafeDigits
        var result: [UInt8] = []
        result.reserveCapacity((bytes.count + 2) / 3 * 4)
        var iterator = bytes.makeIterator()
        while let first = iterator.next() {
            let second = iterator.next()
            let third = second == nil ? nil : iterator.next()
            let group = UInt32(first) << 16 | UInt32(second ?? 0) << 8 | UInt32(third ?? 0)
            result.append(digits[Int(group >> 18)])
            result.append(digits[Int(group >> 12 & 0x3F)])
            result.append(second == nil ? UInt8(ascii: "=") : digits[Int(group >> 6 & 0x3F)])
            result.append(third == nil ? UInt8(ascii: "=") : digits[Int(group & 0x3F)])
        }
        return String(decoding: result, as: UTF8.self)
    }

    /// The bytes that `text` stands for.
    ///
    /// - Returns: `nil` for a character of another alphabet, a wrong length, or padding elsewhere than at the end.
    ///   URL-safe text may leave the padding out.
    package static func decoded(_ text: some Collection<UInt8>, alphabet: Alphabet = .standard) -> [UInt8]? {
        var result: [UInt8] = []
        result.reserveCapacity(text.count / 4 * 3)
        var group: UInt32 = 0
        var digits = 0
        var padding = 0
        for byte in text {
            if byte == UInt8(ascii: "=") {
                padding += 1
                continue
            }
            guard padding == 0, let value = value(of: byte, in: alphabet) else { return nil }
            group = group << 6 | value
            digits += 1
            if digits % 4 == 0 {
                result.append(UInt8(truncatingIfNeeded: group >> 16))
                result.append(UInt8(truncatingIfNeeded: group >> 8))
                result.append(UInt8(truncatingIfNeeded: group))
                group = 0
            }
        }
        switch digits % 4 {
        case 2: result.append(UInt8(truncatingIfNeeded: group >> 4))
        case 3:
            result.append(UInt8(truncatingIfNeeded: group >> 10))
            result.append(UInt8(truncatingIfNeeded: group >> 2))
        case 1: return nil
        default: break
        }
        let wanted = (4 - digits % 4) % 4
        guard padding == wanted || padding == 0 && alphabet == .urlSafe else { return nil }
        return result
    }

    private static let standardDigits = Array(
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/".utf8)
    private static let urlSafeDigits = Array(
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_".utf8)

    @inline(__always)
    private static func value(of byte: UInt8, in alphabet: Alphabet) -> UInt32? {
        switch byte {
        case UInt8(ascii: "A")...UInt8(ascii: "Z"): UInt32(byte - UInt8(ascii: "A"))
        case UInt8(ascii: "a")...UInt8(ascii: "z"): UInt32(byte - UInt8(ascii: "a") + 26)
        case UInt8(ascii: "0")...UInt8(ascii: "9"): UInt32(byte - UInt8(ascii: "0") + 52)
        case UInt8(ascii: "+") where alphabet == .standard, UInt8(ascii: "-") where alphabet == .urlSafe: 62
        case UInt8(ascii: "/") where alphabet == .standard, UInt8(ascii: "_") where alphabet == .urlSafe: 63
        default: nil
        }
    }
}
