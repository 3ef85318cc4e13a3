// Part of Rollcall. SPDX-License-Identifier: Apache-2.0

import TestSupport
import Testing
import WireJSON

@Suite("WireJSON: splices")
struct JSONSpliceTests {
    @Test(
        "removing takes the member and its comma, and nothing else",
        arguments: [
            (#"{"x":1}"#, "{}"),
            (#"{ "x" : 1 }"#, "{  }"),
            (#"{"x":1, "b":2}"#, #"{"b":2}"#),
            (#"{"a":1, "x":2}"#, #"{"a":1}"#),
            (#"{"a":1 ,"x":2,  "b":3}"#, #"{"a":1,  "b":3}"#),
            (#"{"x":1,"a":2,"x":[3],"b":4,"x":5}"#, #"{"a":2,"b":4}"#),
            (#"{"x":1,"\u0078":2}"#, "{}"),
            (#"{"a":{"x":1}}"#, #"{"a":{"x":1}}"#),
            (#" {"a": 1.0e0 }"#, #" {"a": 1.0e0 }"#),
            ("{}", "{}"),
        ])
    func removing(_ before: String, _ after: String) throws {
        #expect(try String(decoding: JSONSplice.removing("x", from: Array(before.utf8)), as: UTF8.self) == after)
    }

    @Test(
        "setting replaces the last value or adds a member at the end",
        arguments: [
            ("{}", #"{"x":[0]}"#),
            ("{ }", #"{"x":[0] }"#),
            (#"{"a":1 }"#, #"{"a":1,"x":[0] }"#),
            (#"{"x":1}"#, #"{"x":[0]}"#),
            (#"{"x" : {"y":1} , "b":2}"#, #"{"x" : [0] , "b":2}"#),
            (#"{"x":1,"x":2}"#, #"{"x":1,"x":[0]}"#),
            (#"{"\u0078":1}"#, #"{"\u0078":[0]}"#),
        ])
    func setting(_ before: String, _ after: String) throws {
        let result = try JSONSplice.setting("x", to: Array("[0]".utf8), in: Array(before.utf8))
        #expect(String(decoding: result, as: UTF8.self) == after)
    }

    @Test("keys are escaped where they must be")
    func key() throws {
        let result = try JSONSplice.setting("a\"\n", to: Array("1".utf8), in: Array("{}".utf8))
        #expect(String(decoding: result, as: UTF8.self) == #"{"a\"\n":1}"#)
    }

    @Test("refuses what is not an object, and values that are not JSON")
    func errors() {
        #expect(throws: JSONError.self) { try JSONSplice.removing("x", from: Array("[]".utf8)) }
        #expect(throws: JSONError.self) { try JSONSplice.removing("x", from: Array("{".utf8)) }
        #expect(throws: JSONError.self) { try JSONSplice.setting("x", to: [], in: Array("{}".utf8)) }
        #expect(throws: JSONError.self) { try JSONSplice.setting("x", to: Array("1,".utf8), in: Array("{}".utf8)) }
    }

    @Test("in random objects no other byte changes")
    func random() throws {
        var random = RandomJSON(generator: SeededGenerator.printingSeed())
        for _ in 0..<1_000 {
            let bytes = Array(random.object(depth: 0).utf8)
            let object = try #require(try JSONValue(parsing: bytes).object)
            let names = object.keys + ["absent"]
            let name = names[Int.random(in: names.indices, using: &random.generator)]

            let removed = try JSONSplice.removing(name, from: bytes)
            let rest = try JSONFields(of: removed.span)
            #expect(try JSONValue(parsing: removed) == .object(object.removing([name])))
            // What is left are pieces of the original in their order.
            let kept = try JSONFields(of: bytes.span).fields.filter {
                try JSONValue(parsing: Array(bytes[$0.key])).string.map { Array($0.utf8) } != Array(name.utf8)
            }
            #expect(kept.map { Array(bytes[$0.key]) } == rest.fields.map { Array(removed[$0.key]) })
            #expect(kept.map { Array(bytes[$0.value]) } == rest.fields.map { Array(removed[$0.value]) })
            #expect(isSubsequence(removed, of: bytes))

            let value = Array(random.value(depth: 3).utf8)
            let set = try JSONSplice.setting(name, to: value, in: bytes)
            var expected = object
            expected[name] = try JSONValue(parsing: value)
            #expect(try JSONValue(parsing: set) == .object(expected))
            if let range = try JSONFields(of: bytes.span).value(of: name, in: bytes.span) {
                #expect(set == bytes[..<range.lowerBound] + value + bytes[range.upperBound...])
            } else {
                #expect(isSubsequence(bytes, of: set))
            }
        }
    }

    private func isSubsequence(_ part: [UInt8], of whole: [UInt8]) -> Bool {
        var rest = part[...]
        for byte in whole where rest.first == byte { rest = rest.dropFirst() }
        return rest.isEmpty
    }
}
