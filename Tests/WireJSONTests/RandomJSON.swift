// Part of Rollcall. SPDX-License-Identifier: Apache-2.0

/// Random documents: JSON as other programs might write it, and JSON with something wrong in it.
struct RandomJSON<Generator: RandomNumberGenerator> {
    var generator: Generator

    mutating func chance(_ one: Int) -> Bool { Int.random(in: 0..<one, using: &generator) == 0 }

    mutating func pick(_ texts: [String]) -> String { texts[Int.random(in: texts.indices, using: &generator)] }

    mutating func space() -> String { chance(3) ? pick([" ", "\n", "\t", "\r\n", "  "]) : "" }

    mutating func document() -> [UInt8] { Array((space() + value(depth: 0) + space()).utf8) }

    mutating func value(depth: Int) -> String {
        switch Int.random(in: 0..<(depth > 4 ? 4 : 7), using: &generator) {
        case 0: return pick(["null", "true", "false"])
        case 1: return number()
        case 2, 3: return string()
        case 4:
            let elements = (0..<Int.random(in: 0..<5, using: &generator)).map { _ in
                space() + value(depth: depth + 1) + space()
            }
            return "[\(elements.joined(separator: ","))\(elements.isEmpty ? space() : "")]"
        default: return object(depth: depth)
        }
    }

    mutating func object(depth: Int) -> String {
        let members = (0..<Int.random(in: 0..<6, using: &generator)).map { _ in
            space() + string() + space() + ":" + space() + value(depth: depth + 1) + space()
        }
        return "{\(members.joined(separator: ","))\(members.isEmpty ? space() : "")}"
    }

    mutating func number() -> String {
        var text = chance(3) ? "-" : ""
        text +=
            chance(3)
            ? "0"
            : String(
                UInt64.random(in: 1...UInt64.max >> UInt64.random(in: 0..<63, using: &generator), using: &generator))
        if chance(3) { text += "." + String(UInt32.random(in: 0...UInt32.max, using: &generator)) }
        if chance(4) {
            text += pick(["e", "E"]) + pick(["", "+", "-"]) + String(Int.random(in: 0..<400, using: &generator))
        }
        return text
    }

    mutating func string() -> String {
        var text = ""
        for _ in 0..<Int.random(in: 0..<(chance(4) ? 40 : 6), using: &generator) {
            switch Int.random(in: 0..<9, using: &generator) {
            case 0: text += pick([#"\n"#, #"\""#, #"\\"#, #"\/"#, #"\b"#, #"\f"#, #"\r"#, #"\t"#])
            case 1:
                let digits = String(
                    UInt16.random(in: 0...UInt16.max, using: &generator), radix: 16, uppercase: chance(2))
                text += #"\u"# + String(repeating: "0", count: 4 - digits.count) + digits
            case 2: text += pick([#"\ud83d"#, #"\ude00"#, #"\ud83d\ude00"#, #"\uDBFF\uDFFF"#])
            case 3: text += pick(["ä", "€", "😀", "e\u{301}", "\u{2028}", "\u{7F}", "漢字", "\u{10FFFF}"])
            case 4: text += pick(["a", "b", "id", "messages"])
            default: text += pick(["x", "yz", "0", " ", "{", "]", ",", ":"])
            }
        }
        return "\"\(text)\""
    }

    /// The document with one to three bytes changed, dropped, doubled or put in.
    mutating func broken(_ document: [UInt8]) -> [UInt8] {
        var bytes = document
        let suspects =
            Array(#"{}[]",:\/0123456789.eE+-tfnul "#.utf8) + [0x00, 0x0A, 0x1F, 0x80, 0xC3, 0xED, 0xF4, 0xFF]
        for _ in 0..<Int.random(in: 1...3, using: &generator) where !bytes.isEmpty {
            let place = Int.random(in: bytes.indices, using: &generator)
            let byte = suspects[Int.random(in: suspects.indices, using: &generator)]
            switch Int.random(in: 0..<4, using: &generator) {
            case 0: bytes[place] = byte
            case 1: bytes.remove(at: place)
            case 2: bytes.insert(byte, at: place)
            default: bytes.removeLast(bytes.count - place)
            }
        }
        return bytes
    }
}
