// Part of Rollcall. SPDX-License-Identifier: Apache-2.0

import Foundation
import TestSupport
import Testing
import WireJSON

@Suite("WireJSON: Codable")
struct JSONCodingTests {
    struct Answer: Codable, Equatable {
        struct Part: Codable, Equatable {
            var text: String
            var weight: Float?
        }
        enum Kind: String, Codable { case plain, rich }
        var id: Int
        var ratio: Double
        var ok: Bool
        var kind: Kind
        var parts: [Part]
        var counts: [String: UInt8]
        var pair: [Int?]
        var extra: JSONValue
        var rest: JSONValue?
    }

    static let text = """
        {"id":7,"ratio":0.5,"ok":true,"kind":"rich","parts":[{"text":"a","weight":0.1},{"text":"\\ud800"}],\
        "counts":{"x":255},"pair":[1,null],"extra":{"b":1.0,"a":12345678901234567890,"a":1e400,"s":"\\ud800"},"rest":null}
        """

    @Test("a type with values of any kind in it arrives whole and leaves whole")
    func roundTrip() throws {
        let value = try JSONValue(parsing: Self.text)
        let answer = try JSONValueDecoder().decode(Answer.self, from: value)
        #expect(answer.id == 7 && answer.ratio == 0.5 && answer.ok && answer.kind == .rich)
        #expect(answer.parts == [.init(text: "a", weight: 0.1), .init(text: "\u{FFFD}")])
        #expect(answer.counts == ["x": 255] && answer.pair == [1, nil])
        #expect(answer.extra == value["extra"])
        #expect(answer.rest == .some(.null))
        // A lone surrogate that went through a String is the only loss.
        let written = try JSONValueEncoder().encode(answer)
        #expect(
            written.description
                == Self.text.replacingOccurrences(of: #"{"text":"\ud800"}"#, with: "{\"text\":\"\u{FFFD}\"}"))
    }

    @Test("random values pass through unchanged, alone and inside other types")
    func lossless() throws {
        struct Box: Codable {
            var value: JSONValue
            var list: [JSONValue]
            var object: JSONObject
        }
        var random = RandomJSON(generator: SeededGenerator.printingSeed())
        for _ in 0..<300 {
            let value = try JSONValue(parsing: random.document())
            #expect(try JSONValueDecoder().decode(JSONValue.self, from: value) == value)
            #expect(try JSONValueEncoder().encode(value) == value)
            #expect(try JSONValueDecoder().decode([JSONValue].self, from: [value, value]) == [value, value])
            let box: JSONValue = ["value": value, "list": [value], "object": ["a": value, "a": value]]
            #expect(try JSONValueEncoder().encode(JSONValueDecoder().decode(Box.self, from: box)) == box)
        }
    }

    private func error<T: Decodable>(_ type: T.Type, _ text: String) throws -> (String, String) {
        do {
            _ = try JSONValueDecoder().decode(type, from: JSONValue(parsing: text))
            return ("nothing", "")
        } catch let error as DecodingError {
            let context =
                switch error {
                case .dataCorrupted(let context): ("corrupted", context)
                case .keyNotFound(_, let context): ("key", context)
                case .typeMismatch(_, let context): ("type", context)
                case .valueNotFound(_, let context): ("value", context)
                @unknown default: throw error
                }
            let path = context.1.codingPath.map { $0.intValue.map(String.init) ?? $0.stringValue }
            return (context.0, "\(path.joined(separator: ".")): \(context.1.debugDescription)")
        }
    }

    @Test("errors carry the path and the reason")
    func errors() throws {
        struct Inner: Decodable { var n: Int8 }
        struct Outer: Decodable { var list: [Inner] }
        #expect(
            try error(Outer.self, #"{"list":[{"n":1},{"n":300}]}"#)
                == ("corrupted", "list.1.n: The number 300 does not fit in Int8."))
        #expect(
            try error(Outer.self, #"{"list":[{"n":1.5}]}"#)
                == ("corrupted", "list.0.n: The number 1.5 does not fit in Int8."))
        #expect(
            try error(Outer.self, #"{"list":[{"n":"1"}]}"#) == (
                "type", "list.0.n: Expected an integer, found a string."
            ))
        #expect(try error(Outer.self, #"{"list":[{"n":null}]}"#).0 == "value")
        #expect(try error(Outer.self, #"{"list":[{}]}"#) == ("key", "list.0: There is no member \"n\"."))
        #expect(try error(Outer.self, #"{"list":{}}"#) == ("type", "list: Expected an array, found an object."))
        #expect(try error(Outer.self, "[]") == ("type", ": Expected an object, found an array."))
        #expect(try error(Double.self, "1e400") == ("corrupted", ": The number 1e400 does not fit in Double."))
        #expect(try error(Float.self, "1e39") == ("corrupted", ": The number 1e39 does not fit in Float."))
        #expect(try error(UInt.self, "-1") == ("corrupted", ": The number -1 does not fit in UInt."))
        #expect(try error([Bool].self, "[true,1]") == ("type", "1: Expected true or false, found a number."))
    }

    @Test("numbers are read at their full width, whole ones from any spelling")
    func numbers() throws {
        func decode<T: Decodable>(_ type: T.Type, _ text: String) throws -> T {
            try JSONValueDecoder().decode(type, from: JSONValue(parsing: text))
        }
        #expect(try decode(UInt64.self, "18446744073709551615") == .max)
        #expect(try decode(Int64.self, "-9223372036854775808") == .min)
        #expect(try decode(Int.self, "7.0") == 7)
        #expect(try decode(UInt8.self, "25e1") == 250)
        #expect(try decode(Double.self, "7") == 7)
        #expect(try decode([Int: String].self, #"{"1":"a"}"#) == [1: "a"])
    }

    @Test("numbers that JSON does not have are refused, as is a value that encodes nothing")
    func encodingErrors() throws {
        struct Nothing: Encodable { func encode(to encoder: any Encoder) throws {} }
        #expect(throws: EncodingError.self) { try JSONValueEncoder().encode([Double.infinity]) }
        #expect(throws: EncodingError.self) { try JSONValueEncoder().encode(Float.nan) }
        #expect(throws: EncodingError.self) { try JSONValueEncoder().encode(Nothing()) }
        #expect(try JSONValueEncoder().encode(Float(0.1)).description == "0.1")
        #expect(try JSONValueEncoder().encode(UInt64.max).description == "18446744073709551615")
        #expect(try JSONValueEncoder().encode(Int?.none) == .null)
    }

    @Test("classes with a superclass and nested containers work both ways")
    func nestedContainers() throws {
        struct Nested: Codable, Equatable {
            enum Keys: String, CodingKey { case a, b }
            var x: Int
            var y: [Int]
            init(x: Int, y: [Int]) { (self.x, self.y) = (x, y) }
            init(from decoder: any Decoder) throws {
                let container = try decoder.container(keyedBy: Keys.self)
                x = try container.nestedContainer(keyedBy: Keys.self, forKey: .a).decode(Int.self, forKey: .b)
                var list = try container.nestedUnkeyedContainer(forKey: .b)
                y = []
                while !list.isAtEnd { y.append(try list.decode(Int.self)) }
                _ = try container.superDecoder()
            }
            func encode(to encoder: any Encoder) throws {
                var container = encoder.container(keyedBy: Keys.self)
                var inner = container.nestedContainer(keyedBy: Keys.self, forKey: .a)
                try inner.encode(x, forKey: .b)
                var list = container.nestedUnkeyedContainer(forKey: .b)
                for element in y { try list.encode(element) }
                var parent = container.superEncoder().singleValueContainer()
                try parent.encodeNil()
            }
        }
        let value = try JSONValueEncoder().encode(Nested(x: 1, y: [2, 3]))
        #expect(value.description == #"{"a":{"b":1},"b":[2,3],"super":null}"#)
        #expect(try JSONValueDecoder().decode(Nested.self, from: value) == Nested(x: 1, y: [2, 3]))
    }

    @Test("other coders keep what they can")
    func foundation() throws {
        let text = #"{"a":[1,-2,1.5,true,null,"x"],"b":18446744073709551615,"c":{}}"#
        let decoded = try JSONDecoder().decode(JSONValue.self, from: Data(text.utf8))
        #expect(decoded["a"] == [1, -2, 1.5, true, nil, "x"])
        #expect(decoded["b"] == .number(UInt64.max))
        #expect(decoded["c"] == [:])
        let encoder = JSONEncoder()
        encoder.outputFormatting = .sortedKeys
        #expect(String(decoding: try encoder.encode(decoded), as: UTF8.self) == text)
    }
}
