// Part of Rollcall. SPDX-License-Identifier: Apache-2.0

extension JSONString {
    /// Resolves the escapes in what stands between the quotes of a string that the scanner has accepted.
    init(escaped bytes: UnsafeBufferPointer<UInt8>) {
        var loneSurrogate = false
        // No escape is shorter than the UTF-8 of what it stands for.
        let text = String(unsafeUninitializedCapacity: bytes.count) { output in
            var written = 0
            var index = 0
            while index < bytes.count {
                guard bytes[index] == UInt8(ascii: "\\") else {
                    output[written] = bytes[index]
                    written += 1
                    index += 1
                    continue
                }
                let unit = Self.unit(escapedAt: &index, in: bytes)
                guard let scalar = Self.scalar(startingWith: unit, index: &index, in: bytes) else {
                    loneSurrogate = true
                    return 0
                }
                for byte in scalar.utf8 {
                    output[written] = byte
                    written += 1
                }
            }
            return written
        }
        self = loneSurrogate ? JSONString(utf16: Self.units(escaped: bytes)) : JSONString(text)
    }

    /// The scalar that `unit` is, or begins with a second escape after it; `nil` for a lone surrogate.
    private static func scalar(
        startingWith unit: UInt16, index: inout Int, in bytes: UnsafeBufferPointer<UInt8>
    ) -> Unicode.Scalar? {
        guard UTF16.isLeadSurrogate(unit) else { return Unicode.Scalar(unit) }
        var next = index
        guard next + 1 < bytes.count, bytes[next] == UInt8(ascii: "\\"), bytes[next + 1] == UInt8(ascii: "u") else {
            return nil
        }
        let trail = Self.unit(escapedAt: &next, in: bytes)
        guard UTF16.isTrailSurrogate(trail) else { return nil }
        index = next
        return Unicode.Scalar(0x10000 + (UInt32(unit) - 0xD800) << 10 + UInt32(trail) - 0xDC00)
    }

    /// The code unit of the escape at `index`, which moves behind it.
    private static func unit(escapedAt index: inout Int, in bytes: UnsafeBufferPointer<UInt8>) -> UInt16 {
        let kind = bytes[index + 1]
        index += 2
        switch kind {
        case UInt8(ascii: "b"): return 0x08
        case UInt8(ascii: "f"): return 0x0C
        case UInt8(ascii: "n"): return 0x0A
        case UInt8(ascii: "r"): return 0x0D
        case UInt8(ascii: "t"): return 0x09
        case UInt8(ascii: "u"):
            var unit: UInt16 = 0
            for offset in index..<index + 4 {
                unit = unit << 4 | (JSONScanner.hexadecimal(bytes[offset]) ?? 0)
            }
            index += 4
            return unit
        default: return UInt16(kind)
        }
    }

    /// The string as UTF-16, the one encoding in which lone surrogates exist.
    private static func units(escaped bytes: UnsafeBufferPointer<UInt8>) -> [UInt16] {
        var units: [UInt16] = []
        var index = 0
        while index < bytes.count {
            if bytes[index] == UInt8(ascii: "\\") {
                units.append(unit(escapedAt: &index, in: bytes))
            } else {
                let start = index
                while index < bytes.count, bytes[index] != UInt8(ascii: "\\") { index += 1 }
                units += String(decoding: bytes[start..<index], as: UTF8.self).utf16
            }
        }
        return units
    }
}
