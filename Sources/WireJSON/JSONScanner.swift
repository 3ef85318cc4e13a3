// Part of Rollcall. SPDX-License-Identifier: Apache-2.0

/// The grammar of JSON's tokens, walked over bytes that outlive the scanner. The parser and the validator share it,
/// so that what one accepts the other does, too.
struct JSONScanner {
    let bytes: UnsafeBufferPointer<UInt8>
    let end: Int
    var position: Int

    init(_ bytes: UnsafeBufferPointer<UInt8>, from position: Int = 0, to end: Int? = nil) {
        self.bytes = bytes
        self.position = position
        self.end = end ?? bytes.count
    }

    func failure(_ reason: String) -> JSONError { JSONError(offset: position, reason: reason) }

    /// The byte at the position; 0, which starts no token, at the end.
    @inline(__always)
    var current: UInt8 { position < end ? bytes[position] : 0 }

    @inline(__always)
    mutating func take(_ byte: UInt8) -> Bool {
        guard position < end, bytes[position] == byte else { return false }
        position += 1
        return true
    }

    @inline(__always)
    mutating func skipWhiteSpace() {
        while position < end {
            let byte = bytes[position]
            guard byte <= 0x20, byte == 0x20 || byte == 0x0A || byte == 0x0D || byte == 0x09 else { return }
            position += 1
        }
    }

    mutating func documentEnd() throws(JSONError) {
        skipWhiteSpace()
        guard position == end else { throw failure("text after the end of the value") }
    }

    // MARK: Literals and numbers

    mutating func literal(_ text: StaticString) throws(JSONError) {
        let count = text.utf8CodeUnitCount
        for index in 0..<count {
            guard current == text.utf8Start[index] else { throw failure("a value was expected") }
            position += 1
        }
    }

    mutating func number() throws(JSONError) {
        _ = take(UInt8(ascii: "-"))
        if !take(UInt8(ascii: "0")) { try digits() }
        if take(UInt8(ascii: ".")) { try digits() }
        if take(UInt8(ascii: "e")) || take(UInt8(ascii: "E")) {
            if !take(UInt8(ascii: "+")) { _ = take(UInt8(ascii: "-")) }
            try digits()
        }
    }

    @inline(__always)
    private mutating func digits() throws(JSONError) {
        let start = position
        while current &- UInt8(ascii: "0") < 10 { position += 1 }
        if position == start { throw failure("a value was expected") }
    }

    // MARK: Strings

    /// Passes a string whose opening quote is at the position; says whether it has escapes.
    mutating func string() throws(JSONError) -> Bool {
        position += 1
        var hasEscapes = false
        while true {
            skipPlainText()
            guard position < end else { throw failure("a string without an end") }
            let byte = bytes[position]
            if byte == UInt8(ascii: "\"") {
                position += 1
                return hasEscapes
            } else if byte == UInt8(ascii: "\\") {
                hasEscapes = true
                try escape()
            } else if byte < 0x20 {
                throw failure("a control character in a string")
            } else if byte < 0x80 {
                position += 1
            } else {
                try multiByteCharacters()
            }
        }
    }

    /// Moves over ASCII that ends no string and starts no escape, to the first byte that may, or near it at the end.
    @inline(__always)
    private mutating func skipPlainText() {
        guard let base = bytes.baseAddress else { return }
        let raw = UnsafeRawPointer(base)
        // 32 bytes at a time as long as there is nothing in them, then the eight that hold it. Only comparisons of two
        // vectors become vector instructions, and `any(_:)` becomes none.
        let quote = SIMD32<Int8>(repeating: 0x22)
        let backslash = SIMD32<Int8>(repeating: 0x5C)
        let space = SIMD32<Int8>(repeating: 0x20)
        while position &+ 32 <= end {
            let block = raw.loadUnaligned(fromByteOffset: position, as: SIMD32<Int8>.self)
            // Bytes above 0x7F are negative here, and so below the space, too.
            let found = (block .== quote) .| (block .== backslash) .| (block .< space)
            // A mask of 32 lanes is 32 bytes, each all ones or zero, and the same as four words.
            let words = unsafeBitCast(found, to: SIMD4<UInt64>.self)
            if (words[0] | words[1]) | (words[2] | words[3]) != 0 { break }
            position &+= 32
        }
        while position &+ 8 <= end {
            let word = UInt64(littleEndian: raw.loadUnaligned(fromByteOffset: position, as: UInt64.self))
            // In each of these the lowest high bit stands in the first byte looked for; those above it may be wrong.
            let quotes = (word ^ 0x2222_2222_2222_2222) &- 0x0101_0101_0101_0101
            let backslashes = (word ^ 0x5C5C_5C5C_5C5C_5C5C) &- 0x0101_0101_0101_0101
            let controls = word &- 0x2020_2020_2020_2020
            let found = (quotes | backslashes | controls | word) & 0x8080_8080_8080_8080
            if found != 0 {
                position &+= found.trailingZeroBitCount >> 3
                return
            }
            position &+= 8
        }
    }

    private mutating func escape() throws(JSONError) {
        guard position + 1 < end else {
            position = end
            throw failure("a string without an end")
        }
        position += 1
        switch bytes[position] {
        case UInt8(ascii: "\""), UInt8(ascii: "\\"), UInt8(ascii: "/"), UInt8(ascii: "b"), UInt8(ascii: "f"),
            UInt8(ascii: "n"), UInt8(ascii: "r"), UInt8(ascii: "t"):
            position += 1
        case UInt8(ascii: "u"):
            position += 1
            for _ in 0..<4 {
                guard Self.hexadecimal(current) != nil else { throw failure("\\u without four hexadecimal digits") }
                position += 1
            }
        default: throw failure("an unknown escape")
        }
    }

    @inline(__always)
    static func hexadecimal(_ byte: UInt8) -> UInt16? {
        switch byte {
        case UInt8(ascii: "0")...UInt8(ascii: "9"): UInt16(byte - UInt8(ascii: "0"))
        case UInt8(ascii: "a")...UInt8(ascii: "f"): UInt16(byte - UInt8(ascii: "a") + 10)
        case UInt8(ascii: "A")...UInt8(ascii: "F"): UInt16(byte - UInt8(ascii: "A") + 10)
        default: nil
        }
    }

    /// Passes well-formed UTF-8 up to the next ASCII byte (table 3-7 of the Unicode standard).
    private mutating func multiByteCharacters() throws(JSONError) {
        while position < end {
            let lead = bytes[position]
            if lead < 0x80 { return }
            let second = byte(after: 1)
            let length: Int
            switch lead {
            case 0xC2...0xDF: length = second & 0xC0 == 0x80 ? 2 : 0
            case 0xE0: length = second & 0xE0 == 0xA0 ? 3 : 0
            case 0xED: length = second & 0xE0 == 0x80 ? 3 : 0
            case 0xE1...0xEF: length = second & 0xC0 == 0x80 ? 3 : 0
            case 0xF0: length = (0x90...0xBF).contains(second) ? 4 : 0
            case 0xF1...0xF3: length = second & 0xC0 == 0x80 ? 4 : 0
            case 0xF4: length = second & 0xF0 == 0x80 ? 4 : 0
            default: length = 0
            }
            guard length > 0, length < 3 || byte(after: 2) & 0xC0 == 0x80, length < 4 || byte(after: 3) & 0xC0 == 0x80
            else { throw failure("a string that is not UTF-8") }
            position &+= length
        }
    }

    @inline(__always)
    private func byte(after distance: Int) -> UInt8 {
        position &+ distance < end ? bytes[position &+ distance] : 0
    }
}
