// Part of Rollcall. SPDX-License-Identifier: Apache-2.0

import TestSupport
import Testing
import WireJSON

@Suite("WireJSON: values")
struct JSONValueTests {
    @Test("what is parsed and written again is the same but for white space and escapes")
    func roundTrip() throws {
        let text = #"{"b":1.0,"a":-0,"a":1e400,"c":[12345678901234567890,0.1000,1E5],"d":"\ud83d x","e":"é\n\"\\"}"#
        #expect(try JSONValue(parsing: text).description == text)
        var random = RandomJSON(generator: SeededGenerator.printingSeed())
        for _ in 0..<500 {
            let value = try JSONValue(parsing: random.document())
            let written = value.serialized()
            #expect(try JSONValue(parsing: written) == value)
            #expect(try JSONValue(parsing: written).serialized() == written)
        }
    }

    @Test("a key's last value is the one, set in place or removed with all others")
    func lookup() throws {
        var object = try #require(try JSONValue(parsing: #"{"a":1,"b":2,"a":3}"#).object)
        #expect(object["a"] == 3)
        object["a"] = 4
        #expect(JSONValue.object(object).description == #"{"a":1,"b":2,"a":4}"#)
        object["c"] = 5
        object["a"] = nil
        #expect(JSONValue.object(object).description == #"{"b":2,"c":5}"#)
        #expect(object.keys == ["b", "c"])
    }

    @Test("strings are equal only unit for unit")
    func equality() {
        #expect(JSONString("\u{E9}") != JSONString("e\u{301}"))
        let object: JSONObject = ["e\u{301}": 1]
        #expect(object["\u{E9}"] == nil)
        #expect(object["e\u{301}"] == 1)
        #expect(JSONString(utf16: [0xD800]) != JSONString("\u{FFFD}"))
        #expect(JSONString(utf16: [0xD83D, 0xDE00]) == JSONString("😀"))
        #expect(Set([JSONString("a"), JSONString("a"), JSONString(utf16: [0xD800])]).count == 2)
    }

    @Test("halves of a surrogate pair join when strings do")
    func append() {
        var string = JSONString(utf16: [0x61, 0xD83D])
        string.append(JSONString(utf16: [0xDE00, 0x62]))
        #expect(string == JSONString("a😀b"))
        #expect(!string.hasLoneSurrogate)
        string.append("c")
        #expect(string.text == "a😀bc")
        string.append(JSONString(utf16: [0xDC00]))
        #expect(string.text == "a😀bc\u{FFFD}")
        #expect(JSONValue.string(string).description == #""a😀bc\udc00""#)
    }

    @Test("control characters are escaped, and nothing else that need not be")
    func escapes() {
        #expect(
            JSONValue.string("\u{0}\u{1F}\u{8}\n\r\t\"\\/\u{7F}\u{2028}é").description
                == "\"\\u0000\\u001f\\u0008\\n\\r\\t\\\"\\\\/\u{7F}\u{2028}é\"")
        #expect(JSONValue.string("").description == "\"\"")
    }

    @Test(
        "integers are read from any spelling that is whole",
        arguments: [
            ("7", 7), ("-0", 0), ("7.0", 7), ("70e-1", 7), ("1e3", 1000), ("9223372036854775807", Int.max),
            ("9223372036854775808", nil), ("1e400", nil), ("7.5", nil), ("-9223372036854775808", Int.min),
        ] as [(String, Int?)])
    func integers(_ text: String, _ expected: Int?) throws {
        #expect(try JSONValue(parsing: text).int == expected)
    }

    @Test("paths read as one would write them")
    func paths() {
        #expect(JSONPath.root.isRoot)
        #expect(JSONPath.root.key("messages").index(2).key("content").description == "messages[2].content")
        #expect(JSONPath.root.key("a b").description == #"["a b"]"#)
        #expect(JSONPath.root.index(0).key("").description == #"[0][""]"#)
        #expect(JSONPath("a.b").key("c") == JSONPath.root.key("a").key("b").key("c"))
        #expect(Set([JSONPath("a"), JSONPath.root.key("a")]).count == 1)
    }

    @Test("readers say what they found, where, and what is allowed")
    func readers() throws {
        let reader = JSONReader(try JSONValue(parsing: #"{"a":[1,"x",null,{}],"b":""}"#))
        #expect(throws: JSONDecodingError(path: JSONPath("a[1]"), found: "x", expected: "an integer")) {
            () throws(JSONDecodingError) in try reader["a"].elements()[1].int()
        }
        do {
            _ = try reader["b"].nonEmptyString()
            Issue.record("an empty string passed")
        } catch {
            #expect(error.description == #"b: expected a non-empty string, found the string """#)
        }
        do {
            _ = try reader["c"].bool()
            Issue.record("nothing passed")
        } catch {
            #expect(error.description == "c: expected true or false, found nothing")
        }
        do {
            _ = try JSONReader(1).object()
            Issue.record("a number passed")
        } catch {
            #expect(error.description == "the document: expected an object, found the number 1")
        }
    }
}
