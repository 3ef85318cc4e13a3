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
    private var scanner: JSONScanner
    private var depthLeft: Int

    init(bytes: UnsafeBufferPointer<UInt8>, depthLeft: Int) {
        scanner = JSONScanner(bytes)
        self.depthLeft = depthLeft
    }

    mutating func document() throws(JSONError) -> JSONValue {
        let value = try self.value()
        try scanner.documentEnd()
        return value
    }

    private mutating func value() throws(JSONError) -> JSONValue {
        scanner.skipWhiteSpace()
        guard scanner.position < scanner.end else { throw scanner.failure("a value is missing") }
        switch scanner.current {
        case UInt8(ascii: "{"): return .object(try object())
        case UInt8(ascii: "["): return .array(try array())
        case UInt8(ascii: "\""):
            let start = scanner.position
            let hasEscapes = try scanner.string()
            return .string(string(from: start, hasEscapes: hasEscapes))
        case UInt8(ascii: "t"):
            try scanner.literal("true")
            return .bool(true)
        case UInt8(ascii: "f"):
            try scanner.literal("false")
            return .bool(false)
        case UInt8(ascii: "n"):
            try scanner.literal("null")
            return .null
        default:
            let start = scanner.position
            try scanner.number()
            return .number(JSONNumber(validated: text(start..<scanner.position)))
        }
    }

    private mutating func object() throws(JSONError) -> JSONObject {
        try enter()
        defer { depthLeft += 1 }
        var members: [JSONObject.Member] = []
        scanner.skipWhiteSpace()
        if scanner.take(UInt8(ascii: "}")) { return JSONObject(members: members) }
        while true {
            scanner.skipWhiteSpace()
            let start = scanner.position
            let hasEscapes = try scanner.key()
            let key = string(from: start, hasEscapes: hasEscapes)
            try scanner.colon()
            members.append(JSONObject.Member(key: key, value: try value()))
            scanner.skipWhiteSpace()
            if scanner.take(UInt8(ascii: ",")) { continue }
            if scanner.take(UInt8(ascii: "}")) { return JSONObject(members: members) }
            throw scanner.failure("a comma or } is missing after a member")
        }
    }

    private mutating func array() throws(JSONError) -> [JSONValue] {
        try enter()
        defer { depthLeft += 1 }
        var elements: [JSONValue] = []
        scanner.skipWhiteSpace()
        if scanner.take(UInt8(ascii: "]")) { return elements }
        while true {
            elements.append(try value())
            scanner.skipWhiteSpace()
            if scanner.take(UInt8(ascii: ",")) { continue }
            if scanner.take(UInt8(ascii: "]")) { return elements }
            throw scanner.failure("a comma or ] is missing after an element")
        }
    }

    private mutating func enter() throws(JSONError) {
        guard depthLeft > 0 else { throw scanner.failure("nested too deeply") }
        depthLeft -= 1
        scanner.position += 1
    }

    /// What the string that the scanner has just passed stands for.
    private func string(from start: Int, hasEscapes: Bool) -> JSONString {
        let content = start + 1..<scanner.position - 1
        if hasEscapes { return JSONString(escaped: UnsafeBufferPointer(rebasing: scanner.bytes[content])) }
        return JSONString(text(content))
    }

    private func text(_ range: Range<Int>) -> String {
        String(decoding: UnsafeBufferPointer(rebasing: scanner.bytes[range]), as: UTF8.self)
    }
}
