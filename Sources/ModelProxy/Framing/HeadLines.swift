// Part of Rollcall. SPDX-License-Identifier: Apache-2.0

/// Reads the lines of a head whose end has been found: each ends in CRLF, none is folded, and there is no control
/// character in them but the tab.
enum HeadLines {
    /// The line that begins at `position`, which goes behind its CRLF.
    static func next(_ bytes: Span<UInt8>, _ position: inout Int) throws(FramingError) -> Range<Int> {
        let index = firstControl(bytes, from: position)
        guard index < bytes.count else { throw FramingError("the head does not end") }
        guard bytes[index] == 0x0D else {
            throw FramingError(
                bytes[index] == 0x0A
                    ? "a line of the head ends in a bare LF" : "the head has a control character in it")
        }
        guard index + 1 < bytes.count, bytes[index + 1] == 0x0A else {
            throw FramingError("a line of the head has a CR in it")
        }
        defer { position = index + 2 }
        return position..<index
    }

    /// Where the next control character but a tab stands, or the end, looked for in sixteen bytes at a time.
    private static func firstControl(_ bytes: Span<UInt8>, from start: Int) -> Int {
        bytes.withUnsafeBytes { bytes in
            let (lowest, delete, tab) = (
                SIMD16<UInt8>(repeating: 0x20), SIMD16<UInt8>(repeating: 0x7F), SIMD16<UInt8>(repeating: 0x09)
            )
            var index = start
            while index + 16 <= bytes.count {
                let piece = bytes.loadUnaligned(fromByteOffset: index, as: SIMD16<UInt8>.self)
                let isControl = ((piece .< lowest) .& (piece .!= tab)) .| (piece .== delete)
                // A mask of 16 lanes is 16 bytes, each all ones or zero, and the same as two words.
                let words = unsafeBitCast(isControl, to: SIMD2<UInt64>.self)
                if words[0] != 0 { return index + UInt64(littleEndian: words[0]).trailingZeroBitCount / 8 }
                if words[1] != 0 { return index + 8 + UInt64(littleEndian: words[1]).trailingZeroBitCount / 8 }
                index += 16
            }
            while index < bytes.count, (bytes[index] >= 0x20 || bytes[index] == 0x09) && bytes[index] != 0x7F {
                index += 1
            }
            return index
        }
    }

    /// The fields up to the empty line, which ends the bytes.
    static func fields(_ bytes: Span<UInt8>, from start: Int) throws(FramingError) -> [HeaderFields.Field] {
        var fields: [HeaderFields.Field] = []
        fields.reserveCapacity(12)
        var position = start
        while true {
            let line = try next(bytes, &position)
            if line.isEmpty { break }
            fields.append(try field(bytes, line))
        }
        guard position == bytes.count else { throw FramingError("the head has an empty line in it") }
        return fields
    }

    static func field(_ bytes: Span<UInt8>, _ line: Range<Int>) throws(FramingError) -> HeaderFields.Field {
        let colon = bytes.withUnsafeBufferPointer { bytes in
            var colon = line.lowerBound
            while colon < line.upperBound, isTokenByte(bytes[colon]) { colon += 1 }
            return colon
        }
        guard colon < line.upperBound, bytes[colon] == UInt8(ascii: ":") else {
            throw FramingError("a field's name has a character that it must not have, or no colon behind it")
        }
        guard colon > line.lowerBound else { throw FramingError("a field has no name") }
        var start = colon + 1
        var end = line.upperBound
        while start < end, isBlank(bytes[start]) { start += 1 }
        while end > start, isBlank(bytes[end - 1]) { end -= 1 }
        return HeaderFields.Field(name: line.lowerBound..<colon, value: start..<end)
    }

    static func isBlank(_ byte: UInt8) -> Bool { byte == 0x20 || byte == 0x09 }

    /// A character of a token as RFC 9110 has it: letters, digits and ``!#$%&'*+-.^_`|~``, a bit for each below 128.
    static func isTokenByte(_ byte: UInt8) -> Bool {
        let bits: UInt64 = byte < 64 ? 0x03FF_6CFA_0000_0000 : byte < 128 ? 0x57FF_FFFF_C7FF_FFFE : 0
        return bits >> UInt64(byte & 63) & 1 == 1
    }
}

/// What a head's fields say about the message's length and its connection.
struct FramingFields {
    private var length: Int?
    private(set) var isChunked = false
    private(set) var saysClose = false
    private(set) var saysKeepAlive = false
    /// The other fields that `Connection` says are for this connection only, in small letters.
    private(set) var hopByHop: [String] = []

    init(_ fields: HeaderFields) throws(FramingError) {
        let bytes = fields.bytes
        for field in fields.fields {
            switch field.name.count {
            case 10 where bytes.isSame(field.name, as: "connection"): noteConnection(bytes, field.value)
            case 14 where bytes.isSame(field.name, as: "content-length"):
                guard length == nil else { throw FramingError("it has more than one Content-Length") }
                length = try Self.length(bytes[field.value])
            case 17 where bytes.isSame(field.name, as: "transfer-encoding"):
                guard !isChunked, bytes.isSame(field.value, as: "chunked") else {
                    throw FramingError("its Transfer-Encoding is not just chunked, once")
                }
                isChunked = true
            default: break
            }
        }
        guard !isChunked || length == nil else {
            throw FramingError("it has both Content-Length and Transfer-Encoding")
        }
    }

    /// How the body's end is known, where the head says so.
    var bodyLength: BodyLength? { isChunked ? .chunked : length.map { .length($0) } }

    private mutating func noteConnection(_ bytes: [UInt8], _ value: Range<Int>) {
        // What nearly all of them say.
        if bytes.isSame(value, as: "keep-alive") {
            saysKeepAlive = true
            return
        }
        for option in bytes[value].split(separator: UInt8(ascii: ",")) {
            let word = String(decoding: option.filter { !HeadLines.isBlank($0) }.map(\.lowercased), as: UTF8.self)
            switch word {
            case "close": saysClose = true
            case "keep-alive": saysKeepAlive = true
            case "upgrade", "": break
            default: hopByHop.append(word)
            }
        }
    }

    private static func length(_ digits: ArraySlice<UInt8>) throws(FramingError) -> Int {
        // Fewer digits than a whole number of 64 bits may have, so that no sum overflows.
        let count = digits.drop { $0 == UInt8(ascii: "0") }.count
        guard !digits.isEmpty, count <= 18 else { throw FramingError("its Content-Length is no number") }
        var number = 0
        for digit in digits {
            guard (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(digit) else {
                throw FramingError("its Content-Length is no number")
            }
            number = number * 10 + Int(digit - UInt8(ascii: "0"))
        }
        return number
    }
}
