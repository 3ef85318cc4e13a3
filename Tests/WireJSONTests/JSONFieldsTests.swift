// Part of Rollcall. SPDX-License-Identifier: Apache-2.0

import TestSupport
import Testing
import WireJSON

/// Spans cannot stand in an expectation.
extension JSONFields {
    func range(of name: String, in bytes: [UInt8]) -> Range<Int>? { value(of: name, in: bytes.span) }
}

func elementRanges(_ bytes: [UInt8]) -> [Range<Int>]? {
    JSONElements.ranges(ofArrayAt: 0..<bytes.count, in: bytes.span)
}

@Suite("WireJSON: fields and elements")
struct JSONFieldsTests {
    private func value(_ name: String, in text: String) throws -> String? {
        let bytes = Array(text.utf8)
        let fields = try JSONFields(of: bytes.span)
        return fields.value(of: name, in: bytes.span).map { String(decoding: bytes[$0], as: UTF8.self) }
    }

    @Test("finds values as they stand, without the white space around them")
    func values() throws {
        let text = #" { "model" : "m" ,"messages":[ {"role":"user"} ], "stream":true , "n": 1.0 } "#
        #expect(try value("model", in: text) == #""m""#)
        #expect(try value("messages", in: text) == #"[ {"role":"user"} ]"#)
        #expect(try value("stream", in: text) == "true")
        #expect(try value("n", in: text) == "1.0")
        #expect(try value("role", in: text) == nil)
        #expect(try value("", in: text) == nil)
        #expect(try value("a", in: "{}") == nil)
    }

    @Test("the last of several wins")
    func last() throws {
        #expect(try value("a", in: #"{"a":1,"b":2,"a":3}"#) == "3")
        #expect(try value("a", in: #"{"a":1,"\u0061":{}}"#) == "{}")
    }

    @Test("keys are compared unescaped and byte for byte")
    func escapedKeys() throws {
        #expect(try value("stream", in: #"{"\u0073tream":true}"#) == "true")
        #expect(try value("a\"b", in: #"{"a\"b":1}"#) == "1")
        #expect(try value(#"a\"b"#, in: #"{"a\"b":1}"#) == nil)
        #expect(try value(#"a\nb"#, in: #"{"a\nb":1}"#) == nil)
        #expect(try value("a\nb", in: #"{"a\nb":1}"#) == "1")
        #expect(try value("😀", in: #"{"\ud83d\ude00":1}"#) == "1")
        #expect(try value("\u{E9}", in: "{\"e\u{301}\":1}") == nil)
        #expect(try value("é", in: "{\"é\":1}") == "1")
    }

    @Test("a document that is not an object is refused, after all else that is wrong with it")
    func notAnObject() {
        for text in ["[]", "1", "null", #""a""#, " [{}] "] {
            let bytes = Array(text.utf8)
            #expect(throws: JSONError(offset: text.hasPrefix(" ") ? 1 : 0, reason: "an object was expected")) {
                try JSONFields(of: bytes.span)
            }
        }
        let broken = Array("[1,]".utf8)
        #expect(throws: JSONError(offset: 3, reason: "a value was expected")) { try JSONFields(of: broken.span) }
    }

    @Test("an object within a document gives places in the document")
    func nested() throws {
        let bytes = Array(#"{"a": {"b": [1, {"c": 2}]}}"#.utf8)
        let outer = try JSONFields(of: bytes.span)
        let place = try #require(outer.range(of: "a", in: bytes))
        let inner = try JSONFields(ofObjectAt: place, in: bytes.span)
        let range = try #require(inner.range(of: "b", in: bytes))
        #expect(String(decoding: bytes[range], as: UTF8.self) == #"[1, {"c": 2}]"#)
        #expect(String(decoding: bytes[inner.object], as: UTF8.self) == #"{"b": [1, {"c": 2}]}"#)
    }

    @Test("elements of an array, without the white space around them")
    func elements() throws {
        let bytes = Array(#"[1, "a]" ,{"b":[]},[ ] ]"#.utf8)
        let ranges = try #require(elementRanges(bytes))
        #expect(ranges.map { String(decoding: bytes[$0], as: UTF8.self) } == ["1", #""a]""#, #"{"b":[]}"#, "[ ]"])
        for (text, count) in [("[]", 0), ("[ ]", 0), (" [1] ", 1)] {
            #expect(elementRanges(Array(text.utf8))?.count == count)
        }
        for text in ["{}", "null", #""[]""#, "", "[1", "[1 2]"] {
            #expect(elementRanges(Array(text.utf8)) == nil)
        }
    }

    @Test("fields of random objects are those the parser finds")
    func random() throws {
        var random = RandomJSON(generator: SeededGenerator.printingSeed())
        for _ in 0..<1_000 {
            let bytes = Array(random.object(depth: 0).utf8)
            let object = try #require(try JSONValue(parsing: bytes).object)
            let fields = try JSONFields(of: bytes.span)
            #expect(fields.fields.count == object.count)
            for (field, member) in zip(fields.fields, object.members) {
                #expect(try JSONValue(parsing: Array(bytes[field.key])) == .string(member.key))
                #expect(try JSONValue(parsing: Array(bytes[field.value])) == member.value)
                let found = try #require(fields.range(of: member.key.text, in: bytes))
                #expect(try JSONValue(parsing: Array(bytes[found])) == object[member.key.text])
            }
        }
    }
}
