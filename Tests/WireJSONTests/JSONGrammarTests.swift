// Part of Rollcall. SPDX-License-Identifier: Apache-2.0

import Testing
import WireJSON

/// Runs a document through everything that decides whether bytes are JSON.
struct Verdicts {
    let parser: JSONError?
    let validator: JSONError?
    /// Of the document as the value of an object's only field.
    let fields: JSONError?
    let elements: Int?

    init(_ bytes: [UInt8], maximumDepth: Int = JSONLimits.depth) {
        func verdict(_ body: () throws(JSONError) -> Void) -> JSONError? {
            do throws(JSONError) {
                try body()
                return nil
            } catch {
                return error
            }
        }
        parser = verdict { () throws(JSONError) in _ = try JSONValue(parsing: bytes, maximumDepth: maximumDepth) }
        validator = verdict { () throws(JSONError) in
            try JSONValidation.validate(bytes.span, maximumDepth: maximumDepth)
        }
        let object = Array(#"{"a":"#.utf8) + bytes + Array("}".utf8)
        fields = verdict { () throws(JSONError) in
            _ = try JSONFields(of: object.span, maximumDepth: maximumDepth + 1)
        }
        let array = Array("[".utf8) + bytes + Array("]".utf8)
        elements = JSONElements.ranges(ofArrayAt: 0..<array.count, in: array.span)?.count
    }
}

@Suite("WireJSON: grammar")
struct JSONGrammarTests {
    static let valid: [String] = [
        "null", "true", "false", "0", "-0", "7", "-12", "1.5", "0.0", "1e5", "1E5", "1e+5", "1e-05", "-0.5e-10",
        "1e400", "123456789012345678901234567890", #""""#, #""a""#, #"" ""#, "\"\u{7F}\"", "\"ä€😀\"",
        #""\"\\\/\b\f\n\r\t""#, #""\u0000""#, #""\uD834\udd1e""#, #""\ud800""#, #""\udc00x""#, #""\ud800\ud800""#,
        #""\uFFFF""#, "\"\u{2028}\"", "\"\u{FEFF}\"", #""12345678""#, #""123456789\n12345678é""#,
        "[]", "[ ]", "[1]", "[1,2]", "[ 1 , 2 ]", "[[]]", "[[],[]]", "[null,true,false,0,\"\",[],{}]",
        "{}", "{ }", #"{"a":1}"#, #"{ "a" : 1 , "b" : [] }"#, #"{"a":1,"a":2}"#, #"{"":{}}"#, #"{"\u0061":1}"#,
        " 1", "1 ", "\t\n\r 1 \t\n\r", "\n[\n]\n", #"{"a":{"b":{"c":[{"d":null}]}}}"#,
    ]

    static let invalid: [String] = [
        "", " ", "\n", "nul", "nulll", "Null", "TRUE", "tru", "true1", "truefalse", "falsee", "undefined", "None",
        "NaN", "Infinity", "-Infinity", "-", "+1", "01", "-01", "00", "1.", ".5", "1.e5", "1e", "1e+", "1e-", "1ee5",
        "1.2.3", "0x10", "1_000", "- 1", "1 2", "--1", "1e1.5", "٣", "1,", ",1", "'a'", "a",
        "\"", #""a"#, #""\""#, #""\"#, #""\x""#, #""\'""#, #""\u""#, #""\u12""#, #""\u123g""#, #""\u 123""#,
        #""\U0041""#, #""\u00""#, "\"\n\"", "\"\t\"", "\"\u{0}\"", "\"\u{1F}\"", "\"12345678\u{1}\"", #""a" "b""#,
        #""a"b"#,
        "[", "]", "[1", "[1,", "[1,]", "[,1]", "[,]", "[1 2]", "[1;2]", "[1}", "[}", "[[]", "[]]", "[1]]", "[a]",
        "{", "}", "{1:2}", "{a:1}", "{'a':1}", #"{"a"}"#, #"{"a":}"#, #"{"a":1,}"#, #"{,"a":1}"#, #"{"a":1"b":2}"#,
        #"{"a" 1}"#, #"{"a"::1}"#, #"{"a":1]"#, "{]", #"{"a":1}}"#, #"{"a":1"#, #"{"a":"#, #"{"a"#, #"{null:1}"#,
        #"{"a":1,,"b":2}"#, "/*c*/1", "1//c", "#", "\u{FEFF}1", "\u{A0}1", "\u{B}1", "\u{C}1", "\u{85}1", "1\u{0}",
    ]

    @Test("accepts what RFC 8259 allows", arguments: valid)
    func accepts(_ document: String) throws {
        let verdicts = Verdicts(Array(document.utf8))
        #expect(verdicts.parser == nil)
        #expect(verdicts.validator == nil)
        #expect(verdicts.fields == nil)
        #expect(verdicts.elements == 1)
        // What is written is the same value again.
        let value = try JSONValue(parsing: document)
        #expect(try JSONValue(parsing: value.serialized()) == value)
    }

    @Test("refuses everything else, parser and validator for the same reason", arguments: invalid)
    func refuses(_ document: String) {
        let verdicts = Verdicts(Array(document.utf8))
        #expect(verdicts.parser != nil)
        #expect(verdicts.validator == verdicts.parser)
        // `1}` would close the object around it, and so on; these are whole within it.
        if !document.contains("}"), !["1,", "1 2"].contains(document) { #expect(verdicts.fields != nil) }
    }

    @Test(
        "refuses strings that are not UTF-8",
        arguments: [
            [0x80], [0xBF], [0xC0, 0x80], [0xC1, 0xBF], [0xC2], [0xC2, 0x41], [0xE0, 0x80, 0x80], [0xE0, 0x9F, 0xBF],
            [0xE2, 0x82], [0xE2, 0x82, 0x41], [0xED, 0xA0, 0x80], [0xED, 0xBF, 0xBF], [0xF0, 0x80, 0x80, 0x80],
            [0xF0, 0x8F, 0xBF, 0xBF], [0xF0, 0x9F, 0x98], [0xF4, 0x90, 0x80, 0x80], [0xF5, 0x80, 0x80, 0x80],
            [0xFE], [0xFF], [0xC3, 0xA9, 0xE9],
        ] as [[UInt8]])
    func refusesBadUTF8(_ bytes: [UInt8]) {
        for prefix in ["", "1234567", "12345678", "\\n"] {
            let verdicts = Verdicts(Array("\"\(prefix)".utf8) + bytes + Array("\"".utf8))
            #expect(verdicts.parser != nil)
            #expect(verdicts.validator == verdicts.parser)
            #expect(verdicts.fields != nil)
        }
        #expect(Verdicts(bytes).parser != nil)
    }

    @Test("accepts every scalar there is, raw and escaped")
    func everyScalar() throws {
        for first in stride(from: UInt32(0), to: 0x110000, by: 0x800) where !(0xD800..<0xE000).contains(first) {
            var raw: [UInt8] = [UInt8(ascii: "\"")]
            var escaped: [UInt8] = [UInt8(ascii: "\"")]
            var text = ""
            for value in first..<first + 0x800 {
                guard let scalar = Unicode.Scalar(value) else { continue }
                text.unicodeScalars.append(scalar)
                if value >= 0x20, value != 0x22, value != 0x5C { raw += Array(scalar.utf8) }
                for unit in scalar.utf16 {
                    let digits = String(unit, radix: 16)
                    escaped += Array("\\u\(String(repeating: "0", count: 4 - digits.count))\(digits)".utf8)
                }
            }
            raw.append(UInt8(ascii: "\""))
            escaped.append(UInt8(ascii: "\""))
            #expect(Verdicts(raw).parser == nil)
            #expect(Verdicts(raw).validator == nil)
            #expect(try JSONValue(parsing: escaped) == .string(text))
            #expect(try JSONValue(parsing: JSONValue.string(text).serialized()) == .string(text))
        }
    }

    @Test("a word boundary hides nothing: every special byte at every place of a string")
    func everyPlace() {
        for place in 0..<24 {
            for byte in UInt8.min...UInt8.max {
                var bytes = [UInt8](repeating: UInt8(ascii: "x"), count: 24)
                bytes[place] = byte
                let document = [UInt8(ascii: "\"")] + bytes + [UInt8(ascii: "\"")]
                let isPlain = byte >= 0x20 && byte < 0x80 && byte != UInt8(ascii: "\"") && byte != UInt8(ascii: "\\")
                let verdicts = Verdicts(document)
                #expect((verdicts.validator == nil) == isPlain, "byte \(byte) at \(place)")
                #expect(verdicts.parser == verdicts.validator, "byte \(byte) at \(place)")
            }
        }
    }

    @Test("nesting is bounded, to the level", arguments: [1, 2, 63, 64, 65, 66, 127, 128, 129, 200, 512])
    func depth(_ limit: Int) {
        func nested(_ depth: Int, _ open: String, _ close: String, _ core: String) -> [UInt8] {
            Array((String(repeating: open, count: depth) + core + String(repeating: close, count: depth)).utf8)
        }
        for (open, close) in [("[", "]"), (#"{"a":"#, "}"), (#"[{"a":"#, "}]")] {
            let levels = open.contains("[{") ? 2 : 1
            let count = limit / levels
            #expect(Verdicts(nested(count, open, close, "1"), maximumDepth: limit).parser == nil)
            #expect(Verdicts(nested(count, open, close, "1"), maximumDepth: limit).validator == nil)
            #expect(Verdicts(nested(count, open, close, "1"), maximumDepth: limit).fields == nil)
            let tooDeep = Verdicts(nested(count + 1, open, close, "1"), maximumDepth: limit)
            #expect(tooDeep.parser?.reason == "nested too deeply")
            #expect(tooDeep.validator == tooDeep.parser)
            #expect(tooDeep.fields?.reason == "nested too deeply")
            // The kinds of what is open are still known on the way out.
            let wrong = nested(count, open, close, "1").dropLast() + [UInt8(ascii: close.hasSuffix("]") ? "}" : "]")]
            #expect(Verdicts(Array(wrong), maximumDepth: limit).validator != nil)
            #expect(Verdicts(Array(wrong), maximumDepth: limit).parser != nil)
        }
    }

    // Strings are read 32 bytes at a time, then 8, then one by one.
    @Test("what a string must not hold is found wherever it stands")
    func placesInStrings() {
        for length in 0...70 {
            for place in 0..<length {
                for (byte, reason) in [
                    (UInt8(0x1F), "a control character in a string"), (0xFF, "a string that is not UTF-8"),
                ] {
                    var text = [UInt8](repeating: 0x20, count: length)
                    text[place] = byte
                    let expected = JSONError(offset: 1 + place, reason: reason)
                    #expect(Verdicts(Array("\"".utf8) + text + Array("\"".utf8)).validator == expected)
                }
                // The first quote ends the string, and an escape hides one.
                var text = [UInt8](repeating: 0x7F, count: length)
                text[place] = UInt8(ascii: "\"")
                #expect((Verdicts(Array("\"".utf8) + text).validator == nil) == (place == length - 1))
                text.insert(UInt8(ascii: "\\"), at: place)
                #expect(Verdicts(Array("\"".utf8) + text).validator?.reason == "a string without an end")
                #expect(Verdicts(Array("\"".utf8) + text + Array("\"".utf8)).validator == nil)
            }
        }
    }

    @Test("an endless run of brackets is refused without a deep stack")
    func bracketBomb() {
        let bomb = [UInt8](repeating: UInt8(ascii: "["), count: 1_000_000)
        #expect(Verdicts(bomb).parser == JSONError(offset: 512, reason: "nested too deeply"))
        #expect(Verdicts(bomb).validator == JSONError(offset: 512, reason: "nested too deeply"))
    }

    @Test("errors say where and what")
    func errors() {
        #expect(
            Verdicts(Array("[1,]".utf8)).parser?.description == "not valid JSON at byte 3: a value was expected")
        #expect(
            Verdicts(Array("{} x".utf8)).parser?.description
                == "not valid JSON at byte 3: text after the end of the value")
        #expect(
            Verdicts(Array(#""\x""#.utf8)).validator?.description == "not valid JSON at byte 2: an unknown escape")
    }
}
