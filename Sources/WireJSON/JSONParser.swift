// Part of Rollcall. SPDX-License-Identifier: Apache-2.0

extension JSONValue {
    /// Parses one JSON document (RFC 8259; nothing but white space may follow it).
    ///
    /// - Throws: ``JSONError`` with the offset at which the bytes stop being JSON, or are nested too deeply.
    public init(parsing bytes: [UInt8], maximumDepth: Int = JSONLimits.depth) throws(JSONError) {
        try self.init(parsing: bytes.span, maximumDepth: maximumDepth)
    }

    public init(parsing text: String, maximumDepth: Int = JSONLimits.depth) throws(JSONError) {
        try self.init(parsing: Array(text.utf8), maximumDepth: maximumDepth)
    }

    public init(parsing bytes: borrowing Span<UInt8>, maximumDepth: Int = JSONLimits.depth) throws(JSONError) {
        let result: Result<JSONValue, JSONError> = bytes.withUnsafeBufferPointer { buffer in
            var parser = JSONParser(bytes: buffer, depthLeft: maximumDepth)
            do throws(JSONError) {
                return .success(try parser.document())
            } catch {
                return .failure(error)
            }
        }
        self = try result.get()
    }
}

/// A recursive-descent parser over bytes that outlive it.
struct JSONParser {
    private let bytes: UnsafeBufferPointer<UInt8>
    private var position = 0
    private var depthLeft: Int

    init(bytes: UnsafeBufferPointer<UInt8>, depthLeft: Int) {
        self.bytes = bytes
        self.depthLeft = depthLeft
    }

    mutating func document() throws(JSONError) -> JSONValue {
        let value = try self.value()
        skipWhiteSpace()
        guard position == bytes.count else { throw failure("text after the end of the value") }
        return value
    }

    private mutating func value() throws(JSONError) -> JSONValue {
        skipWhiteSpace()
        guard position < bytes.count else { throw failure("a value is missing") }
        switch bytes[position] {
        case UInt8(ascii: "{"): return .object(try object())
        case UInt8(ascii: "["): return .array(try array())
        case UInt8(ascii: "\""): return .string(try string())
        case UInt8(ascii: "t"): return try literal("true", .bool(true))
        case UInt8(ascii: "f"): return try literal("false", .bool(false))
        case UInt8(ascii: "n"): return try literal("null", .null)
        default: return .number(try number())
        }
    }

    private mutating func object() throws(JSONError) -> JSONObject {
        try enter()
        defer { depthLeft += 1 }
        var members: [JSONObject.Member] = []
        skipWhiteSpace()
        if take(UInt8(ascii: "}")) { return JSONObject(members: members) }
        while true {
            skipWhiteSpace()
            guard position < bytes.count, bytes[position] == UInt8(ascii: "\"") else {
                throw failure("a key in double quotes is missing")
            }
            let key = try string()
            skipWhiteSpace()
            guard take(UInt8(ascii: ":")) else { throw failure("a colon is missing after a key") }
            members.append(JSONObject.Member(key: key, value: try value()))
            skipWhiteSpace()
            if take(UInt8(ascii: "}")) { return JSONObject(members: members) }
            guard take(UInt8(ascii: ",")) else { throw failure("a comma or } is missing after a member") }
        }
    }

    private mutating func array() throws(JSONError) -> [JSONValue] {
        try enter()
        defer { depthLeft += 1 }
        var elements: [JSONValue] = []
        skipWhiteSpace()
        if take(UInt8(ascii: "]")) { return elements }
        while true {
            elements.append(try value())
            skipWhiteSpace()
            if take(UInt8(ascii: "]")) { return elements }
            guard take(UInt8(ascii: ",")) else { throw failure("a comma or ] is missing after an element") }
        }
    }

    private mutating func enter() throws(JSONError) {
        guard depthLeft > 0 else { throw failure("nested too deeply") }
        depthLeft -= 1
        position += 1
    }

    private mutating func string() throws(JSONError) -> JSONString {
        position += 1
        let start = position
        while position < bytes.count {
            switch bytes[position] {
            case UInt8(ascii: "\""):
                let text = try validated(start..<position)
                position += 1
                return JSONString(text)
            case UInt8(ascii: "\\"): return try stringWithEscapes(from: start)
            case 0..<0x20: throw failure("a control character in a string")
            default: position += 1
            }
        }
        throw failure("a string without an end")
    }

    /// A string from its first escape on: collected as UTF-16, the one encoding in which lone surrogates exist.
    private mutating func stringWithEscapes(from start: Int) throws(JSONError) -> JSONString {
        var units: [UInt16] = []
        var plainStart = start
        while position < bytes.count {
            switch bytes[position] {
            case UInt8(ascii: "\""):
                units.append(contentsOf: try validated(plainStart..<position).utf16)
                position += 1
                return JSONString(utf16: units)
            case UInt8(ascii: "\\"):
                units.append(contentsOf: try validated(plainStart..<position).utf16)
                units.append(try escape())
                plainStart = position
            case 0..<0x20: throw failure("a control character in a string")
            default: position += 1
            }
        }
        throw failure("a string without an end")
    }

    private mutating func escape() throws(JSONError) -> UInt16 {
        guard position + 1 < bytes.count else { throw failure("a string without an end") }
        let kind = bytes[position + 1]
        position += 2
        switch kind {
        case UInt8(ascii: "\""), UInt8(ascii: "\\"), UInt8(ascii: "/"): return UInt16(kind)
        case UInt8(ascii: "b"): return 0x08
        case UInt8(ascii: "f"): return 0x0C
        case UInt8(ascii: "n"): return 0x0A
        case UInt8(ascii: "r"): return 0x0D
        case UInt8(ascii: "t"): return 0x09
        case UInt8(ascii: "u"):
            var unit: UInt16 = 0
            for _ in 0..<4 {
                guard position < bytes.count, let digit = Character(UnicodeScalar(bytes[position])).hexDigitValue else {
                    throw failure("\\u without four hexadecimal digits")
                }
                unit = unit << 4 | UInt16(digit)
                position += 1
            }
            return unit
        default:
            position -= 1
            throw failure("an unknown escape")
        }
    }

    private func validated(_ range: Range<Int>) throws(JSONError) -> String {
        guard let text = String(validating: UnsafeBufferPointer(rebasing: bytes[range]), as: UTF8.self) else {
            throw JSONError(offset: range.lowerBound, reason: "a string that is not UTF-8")
        }
        return text
    }

    private mutating func number() throws(JSONError) -> JSONNumber {
        let start = position
        _ = take(UInt8(ascii: "-"))
        if !take(UInt8(ascii: "0")) { try digits() }
        if take(UInt8(ascii: ".")) { try digits() }
        if take(UInt8(ascii: "e")) || take(UInt8(ascii: "E")) {
            if !take(UInt8(ascii: "+")) { _ = take(UInt8(ascii: "-")) }
            try digits()
        }
        return JSONNumber(validated: String(decoding: bytes[start..<position], as: UTF8.self))
    }

    private mutating func digits() throws(JSONError) {
        let start = position
        while position < bytes.count, (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(bytes[position]) { position += 1 }
        if position == start { throw failure("a value was expected") }
    }

    private mutating func literal(_ text: StaticString, _ value: JSONValue) throws(JSONError) -> JSONValue {
        for index in 0..<text.utf8CodeUnitCount {
            guard position < bytes.count, bytes[position] == text.utf8Start[index] else {
                throw failure("a value was expected")
            }
            position += 1
        }
        return value
    }

    private mutating func take(_ byte: UInt8) -> Bool {
        guard position < bytes.count, bytes[position] == byte else { return false }
        position += 1
        return true
    }

    private mutating func skipWhiteSpace() {
        while position < bytes.count {
            switch bytes[position] {
            case 0x20, 0x0A, 0x0D, 0x09: position += 1
            default: return
            }
        }
    }

    private func failure(_ reason: String) -> JSONError { JSONError(offset: position, reason: reason) }
}
