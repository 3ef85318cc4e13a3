// Part of Rollcall. SPDX-License-Identifier: Apache-2.0

/// Reads the lines of a head whose end has been found: each ends in CRLF, none is folded, and there is no control
/// character in them but the tab.
enum HeadLines {
    /// The line that begins at `position`, which goes behind its CRLF.
    static func next(_ bytes: Span<UInt8>, _ position: inout Int) throws(FramingError) -> Range<Int> {
        var index = position
        while index < bytes.count {
            let byte = bytes[index]
            if byte < 0x20 || byte == 0x7F, byte != 0x09 {
                guard byte == 0x0D else {
                    throw FramingError(
                        byte == 0x0A
                            ? "a line of the head ends in a bare LF" : "the head has a control character in it")
                }
                guard index + 1 < bytes.count, bytes[index + 1] == 0x0A else {
                    throw FramingError("a line of the head has a CR in it")
                }
                defer { position = index + 2 }
                return position..<index
            }
            index += 1
        }
        throw FramingError("the head does not end")
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
        var colon = line.lowerBound
        while colon < line.upperBound, isTokenByte(bytes[colon]) { colon += 1 }
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

    /// A character of a token as RFC 9110 has it: letters, digits and these.
    static func isTokenByte(_ byte: UInt8) -> Bool {
        switch byte {
        case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
            UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "-"), UInt8(ascii: "_"), UInt8(ascii: "."),
            UInt8(ascii: "!"), UInt8(ascii: "#"), UInt8(ascii: "$"), UInt8(ascii: "%"), UInt8(ascii: "&"),
            UInt8(ascii: "'"), UInt8(ascii: "*"), UInt8(ascii: "+"), UInt8(ascii: "^"), UInt8(ascii: "`"),
            UInt8(ascii: "|"), UInt8(ascii: "~"):
            true
        default: false
        }
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
