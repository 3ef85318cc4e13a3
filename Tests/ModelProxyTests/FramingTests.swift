// Part of Rollcall. SPDX-License-Identifier: Apache-2.0

import ModelProxy
import NIOCore
import Testing

@Suite("ModelProxy: framing of answers")
struct FramingTests {
    struct Case: Sendable, CustomTestStringConvertible {
        var name: String
        var bytes: String
        var status = 200
        var body = ""
        var length: BodyLength
        var keepsAlive = true
        /// Whether the connection's end ends it.
        var untilClose = false
        var isHEAD = false
        var rest = ""
        var testDescription: String { name }
    }

    static let good: [Case] = [
        Case(
            name: "length", bytes: "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello", body: "hello",
            length: .length(5)),
        Case(
            name: "length, rest", bytes: "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhello", body: "he",
            length: .length(2), rest: "llo"),
        Case(name: "length zero", bytes: "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", length: .length(0)),
        Case(name: "no reason", bytes: "HTTP/1.1 429\r\nContent-Length: 0\r\n\r\n", status: 429, length: .length(0)),
        Case(
            name: "chunks, extension, trailers",
            bytes:
                "HTTP/1.1 200 OK\r\nTransfer-Encoding: Chunked\r\n\r\n3;a=b\r\nabc\r\n0A \r\n0123456789\r\n0\r\nx-sum: 1\r\n\r\n",
            body: "abc0123456789", length: .chunked),
        Case(
            name: "interim answers",
            bytes:
                "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early\r\nlink: x\r\n\r\nHTTP/1.1 200 OK\r\ncontent-length: 1\r\n\r\nx",
            body: "x", length: .length(1)),
        Case(
            name: "until close", bytes: "HTTP/1.1 200 OK\r\n\r\nabc", body: "abc", length: .untilClose,
            keepsAlive: false, untilClose: true),
        Case(
            name: "HTTP/1.0", bytes: "HTTP/1.0 200 OK\r\ncontent-length: 1\r\n\r\nx", body: "x", length: .length(1),
            keepsAlive: false),
        Case(
            name: "HTTP/1.0 kept", bytes: "HTTP/1.0 200 OK\r\nconnection: Keep-Alive\r\ncontent-length: 1\r\n\r\nx",
            body: "x", length: .length(1)),
        Case(
            name: "closes", bytes: "HTTP/1.1 200 OK\r\nConnection: foo, Close\r\ncontent-length: 1\r\n\r\nx", body: "x",
            length: .length(1), keepsAlive: false),
        Case(name: "HEAD", bytes: "HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\n", length: .none, isHEAD: true),
        Case(name: "204", bytes: "HTTP/1.1 204 No Content\r\n\r\n", status: 204, length: .none),
        Case(
            name: "obs-text and tabs", bytes: "HTTP/1.1 200 caf\u{e9}\r\nx:\t a\u{e9}b \t\r\ncontent-length:1\r\n\r\nx",
            body: "x", length: .length(1)),
    ]

    @Test("what is well formed is read, cut anywhere", arguments: good)
    func reads(_ example: Case) throws {
        let seed = UInt64.random(in: .min ... .max)
        var random = Seeded(seed)
        for round in 0..<40 {
            let cuts =
                round == 0
                ? [] : round == 1 ? Array(1..<example.bytes.utf8.count) : random.cuts(example.bytes.utf8.count)
            let read = try Self.read(
                Array(example.bytes.utf8), cuts: cuts, isHEAD: example.isHEAD, ends: example.untilClose)
            let note: Comment = "seed \(seed), round \(round)"
            #expect(read.head?.status == example.status, note)
            #expect(read.head?.length == example.length, note)
            #expect(read.head?.keepsAlive == example.keepsAlive, note)
            #expect(read.body == Array(example.body.utf8), note)
            #expect(read.ends == 1, note)
            #expect(read.rest == example.rest, note)
        }
    }

    static let bad: [String] = [
        "HTTP/1.1 200 OK\r\ncontent-length: 1\r\ncontent-length: 1\r\n\r\nx",
        "HTTP/1.1 200 OK\r\ncontent-length: 1\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n",
        "HTTP/1.1 200 OK\r\ntransfer-encoding: gzip, chunked\r\n\r\n",
        "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\ntransfer-encoding: chunked\r\n\r\n",
        "HTTP/1.0 200 OK\r\ntransfer-encoding: chunked\r\n\r\n",
        "HTTP/1.1 200 OK\r\ncontent-length: +1\r\n\r\nx", "HTTP/1.1 200 OK\r\ncontent-length: 1, 1\r\n\r\nx",
        "HTTP/1.1 200 OK\r\ncontent-length: \r\n\r\nx",
        "HTTP/1.1 200 OK\r\ncontent-length: 9999999999999999999\r\n\r\nx",
        "HTTP/1.1 200 OK\r\nx: a\r\n b\r\ncontent-length: 1\r\n\r\nx", "HTTP/1.1 200 OK\nx: a\r\n\r\n\r\n",
        "HTTP/1.1 200 OK\r\nx: a\rb\r\n\r\n", "HTTP/1.1 200 OK\r\nx : a\r\n\r\n", "HTTP/1.1 200 OK\r\n: a\r\n\r\n",
        "HTTP/1.1 200 OK\r\nx\r\n\r\n", "HTTP/1.1 200 OK\r\nx: \u{1}\r\n\r\n", "HTTP/2 200 OK\r\n\r\n",
        "HTTP/1.2 200 OK\r\n\r\n",
        "HTTP/1.1 20 OK\r\n\r\n", "HTTP/1.1 2000 OK\r\n\r\n", "HTTP/1.1 099 OK\r\n\r\n", "ICY 200 OK\r\n\r\n",
        "{\"error\": 1}",
        "HTTP/1.1 101 Switching Protocols\r\n\r\n",
        "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n\r\n",
        "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\nx\r\n",
        "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n1\nx\r\n",
        "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n1\r\nxy\r\n",
        "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n1000000000000000\r\nx",
        "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n0\r\n folded\r\n\r\n",
        "HTTP/1.1 200 OK\r\nx: " + String(repeating: "a", count: 70_000) + "\r\n\r\n",
        "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n1;" + String(repeating: "a", count: 2_000) + "\r\nx",
    ]

    @Test("what two readers could understand differently is refused, cut anywhere", arguments: bad)
    func refuses(_ text: String) {
        #expect(throws: FramingError.self) { try Self.read(Array(text.utf8), cuts: [], isHEAD: false, ends: false) }
        if text.utf8.count < 1000 {
            #expect(throws: FramingError.self) {
                try Self.read(Array(text.utf8), cuts: Array(1..<text.utf8.count), isHEAD: false, ends: false)
            }
        }
    }

    @Test("an answer that the connection's end cuts short is an error")
    func cutShort() {
        for text in [
            "", "HTTP/1.1 200", "HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nx",
            "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n1\r\nx\r\n",
        ] {
            #expect(throws: FramingError.self) { try Self.read(Array(text.utf8), cuts: [], isHEAD: false, ends: true) }
        }
    }

    private static func read(
        _ bytes: [UInt8], cuts: [Int], isHEAD: Bool, ends: Bool
    ) throws -> (head: ResponseHead?, body: [UInt8], ends: Int, rest: String) {
        var framing = ResponseFraming(isAnswerToHEAD: isHEAD)
        var buffer = ByteBuffer()
        var head: ResponseHead?
        var body: [UInt8] = []
        var ended = 0
        var position = 0
        for cut in cuts + [bytes.count] {
            buffer.writeBytes(bytes[position..<cut])
            position = cut
            while let event = try framing.next(&buffer) {
                switch event {
                case .head(let found): head = found
                case .body(let piece): body += piece.readableBytesView
                case .end: ended += 1
                }
            }
        }
        if ends, try framing.inputEnded() == .end { ended += 1 }
        return (head, body, ended, String(buffer: buffer))
    }
}

/// Random numbers that come again with the same seed.
struct Seeded: RandomNumberGenerator {
    private var state: UInt64

    init(_ seed: UInt64) { state = seed }

    mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var value = state
        value = (value ^ (value >> 30)) &* 0xBF58_476D_1CE4_E5B9
        value = (value ^ (value >> 27)) &* 0x94D0_49BB_1331_11EB
        return value ^ (value >> 31)
    }

    /// Some places to cut a text of this length at, in order.
    mutating func cuts(_ length: Int) -> [Int] {
        guard length > 1 else { return [] }
        let count = Int.random(in: 0...6, using: &self)
        return Set((0..<count).map { _ in Int.random(in: 1..<length, using: &self) }).sorted()
    }
}
