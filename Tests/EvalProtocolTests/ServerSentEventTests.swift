// Part of Rollcall. SPDX-License-Identifier: Apache-2.0

import EvalProtocol
import TestSupport
import Testing

@Suite("EvalProtocol: server-sent events")
struct ServerSentEventTests {
    typealias Event = ServerSentEventSplitter.Event

    private func split(_ pieces: [[UInt8]]) throws -> (events: [Event], rest: [UInt8]) {
        var splitter = ServerSentEventSplitter()
        var events: [Event] = []
        for piece in pieces {
            splitter.push(piece)
            while let event = try splitter.next() { events.append(event) }
        }
        return (events, splitter.finish())
    }

    private func data(_ text: String) throws -> [String] {
        try split([Array(text.utf8)]).events.map { String(decoding: $0.data, as: UTF8.self) }
    }

    @Test("fields are read as the standard has them")
    func fields() throws {
        #expect(try data("data: a\n\ndata:b\n\ndata\n\ndata:  c \n\n") == ["a", "b", "", " c "])
        #expect(try data("data: a\ndata: b\n\n") == ["a\nb"])
        #expect(try data("datax: a\n\n: comment\n\n\n") == ["", "", ""])
        #expect(try data("\u{FEFF}data: a\n\n\u{FEFF}data: b\n\n") == ["a", ""])
        let event = try split([Array("event: e\nid: 7\nretry: 3\n: c\ndata: {\"a:b\"}\n\n".utf8)]).events[0]
        #expect(event.name == "e" && event.id == "7" && event.data == Array("{\"a:b\"}".utf8))
        #expect(try split([Array("data: [DONE]\r\n\r\n".utf8)]).events[0].isDone)
    }

    static let events = [
        "data: {\"a\":\"ä€😀\"}", ": comment", "event: x|data: 1|data: 2", "data: a\u{2028}b\u{2029}c\u{85}d",
        "id: 1|data:", ":|:", "data: [DONE]",
    ]

    @Test("raw bytes are those that came, however they are cut", arguments: ["\n", "\r\n", "\r"])
    func cuts(_ lineEnd: String) throws {
        let raw = Self.events.map {
            Array(($0.split(separator: "|").joined(separator: lineEnd) + lineEnd + lineEnd).utf8)
        }
        let stream = raw.flatMap { $0 }
        var random = SeededGenerator.printingSeed()
        for round in 0..<100 {
            var pieces: [[UInt8]] = []
            var rest = stream[...]
            while !rest.isEmpty {
                let count = round == 0 ? 1 : Int.random(in: 1...(round == 1 ? stream.count : 30), using: &random)
                pieces.append(Array(rest.prefix(count)))
                rest = rest.dropFirst(count)
            }
            let (events, left) = try split(pieces)
            #expect(events.map(\.raw) == raw)
            #expect(left.isEmpty)
            #expect(
                events.map { String(decoding: $0.data, as: UTF8.self) }
                    == ["{\"a\":\"ä€😀\"}", "", "1\n2", "a\u{2028}b\u{2029}c\u{85}d", "", "", "[DONE]"])
        }
    }

    @Test("an event is there with its last byte, and of CRLF not before the LF")
    func promptness() throws {
        for lineEnd in ["\n", "\r\n", "\r"] {
            var splitter = ServerSentEventSplitter()
            for byte in "data: a\(lineEnd)\(lineEnd)".utf8.dropLast() {
                splitter.push([byte])
                #expect(try splitter.next() == nil)
            }
            splitter.push([UInt8(ascii: lineEnd.hasSuffix("\n") ? "\n" : "\r")])
            #expect(try splitter.next()?.data == Array("a".utf8))
        }
    }

    @Test("no byte is lost or doubled in any mixture of line ends")
    func mixtures() throws {
        var random = SeededGenerator.printingSeed()
        for _ in 0..<500 {
            let parts = ["\n", "\r", "\r\n", "data: x", "data", ":", "a", "é"]
            let stream = (0..<30).flatMap { _ in Array(parts[Int.random(in: 0..<8, using: &random)].utf8) }
            let (whole, rest) = try split([stream])
            #expect(whole.flatMap(\.raw) + rest == stream)
            let (bytewise, bytewiseRest) = try split(stream.map { [$0] })
            #expect(bytewise.flatMap(\.raw) + bytewiseRest == stream)
            #expect(bytewise.map(\.data) == whole.map(\.data))
        }
    }

    @Test("what lacks its empty line is left, and can still be read")
    func unfinished() throws {
        let (events, rest) = try split([Array("data: a\n\ndata: b\n".utf8)])
        #expect(events.count == 1)
        #expect(rest == Array("data: b\n".utf8))
        #expect(Event(parsing: rest).data == Array("b".utf8))
    }

    @Test("other data takes its place, and what is around it stays")
    func replacedData() throws {
        for (event, expected) in [
            (": a\r\nid: 7\r\ndata: {\"a\":1}\r\n\r\n", ": a\r\nid: 7\r\ndata: {\"b\":2}\r\n\r\n"),
            ("data:{\"a\":1}\n\n", "data:{\"b\":2}\n\n"),
            ("event: e\ndata: {\"a\":\ndata: 1}\n\n", "event: e\ndata: {\"b\":2}\n\n"),
        ] {
            var changed = try #require(try split([Array(event.utf8)]).0.first)
            changed.replaceData(with: Array("{\"b\":2}".utf8))
            #expect(String(decoding: changed.raw, as: UTF8.self) == expected)
            #expect(changed.data == Array("{\"b\":2}".utf8))
        }
        var lines = try #require(try split([Array("data: a\n\n".utf8)]).0.first)
        lines.replaceData(with: Array("1\r\n2".utf8))
        #expect(String(decoding: lines.raw, as: UTF8.self) == "data: 1\ndata: 2\n\n")
    }

    @Test("an event beyond the bound is an error")
    func bound() throws {
        var splitter = ServerSentEventSplitter(maximumEventBytes: 100)
        splitter.push(Array("data: \(String(repeating: "x", count: 200))".utf8))
        #expect(throws: ServerSentEventError(maximumEventBytes: 100)) { try splitter.next() }
    }
}
