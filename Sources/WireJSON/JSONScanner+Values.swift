// Part of Rollcall. SPDX-License-Identifier: Apache-2.0

extension JSONScanner {
    /// Passes one value, white space before it included, without recursion and without allocating (but for one array
    /// in documents nested more than 64 deep).
    mutating func value(maximumDepth: Int) throws(JSONError) {
        var open = OpenContainers()
        while true {
            skipWhiteSpace()
            guard position < end else { throw failure("a value is missing") }
            switch bytes[position] {
            case UInt8(ascii: "\""): _ = try string()
            case UInt8(ascii: "{"):
                guard open.depth < maximumDepth else { throw failure("nested too deeply") }
                position += 1
                skipWhiteSpace()
                if take(UInt8(ascii: "}")) { break }
                open.push(isObject: true)
                try keyAndColon()
                continue
            case UInt8(ascii: "["):
                guard open.depth < maximumDepth else { throw failure("nested too deeply") }
                position += 1
                skipWhiteSpace()
                if take(UInt8(ascii: "]")) { break }
                open.push(isObject: false)
                continue
            case UInt8(ascii: "t"): try literal("true")
            case UInt8(ascii: "f"): try literal("false")
            case UInt8(ascii: "n"): try literal("null")
            default: try number()
            }
            // A value has ended, and with it perhaps what holds it.
            while true {
                if open.depth == 0 { return }
                skipWhiteSpace()
                if open.innermostIsObject {
                    if take(UInt8(ascii: ",")) {
                        skipWhiteSpace()
                        try keyAndColon()
                        break
                    }
                    guard take(UInt8(ascii: "}")) else { throw failure("a comma or } is missing after a member") }
                } else {
                    if take(UInt8(ascii: ",")) { break }
                    guard take(UInt8(ascii: "]")) else { throw failure("a comma or ] is missing after an element") }
                }
                open.pop()
            }
        }
    }

    @inline(__always)
    private mutating func keyAndColon() throws(JSONError) {
        _ = try key()
        try colon()
    }

    /// Passes a member's key; says whether it has escapes.
    mutating func key() throws(JSONError) -> Bool {
        guard current == UInt8(ascii: "\"") else { throw failure("a key in double quotes is missing") }
        return try string()
    }

    mutating func colon() throws(JSONError) {
        skipWhiteSpace()
        guard take(UInt8(ascii: ":")) else { throw failure("a colon is missing after a key") }
    }
}

/// Which of the arrays and objects around a place are objects: a bit each.
private struct OpenContainers {
    private(set) var depth = 0
    private var bits: UInt64 = 0
    private var outer: [UInt64] = []

    var innermostIsObject: Bool { bits & 1 == 1 }

    @inline(__always)
    mutating func push(isObject: Bool) {
        if depth > 0, depth & 63 == 0 { outer.append(bits) }
        bits = bits << 1 | (isObject ? 1 : 0)
        depth &+= 1
    }

    @inline(__always)
    mutating func pop() {
        depth &-= 1
        bits >>= 1
        if depth > 0, depth & 63 == 0, let last = outer.popLast() { bits = last }
    }
}
