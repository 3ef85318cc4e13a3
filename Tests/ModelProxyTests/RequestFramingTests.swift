// Part of Rollcall. SPDX-License-Identifier: Apache-2.0

import ModelProxy
import NIOCore
import NIOHTTP1
import Testing

@Suite("ModelProxy: framing of requests")
struct RequestFramingTests {
    private struct Read: Equatable {
        var heads: [String] = []
        var bodies: [String] = []
        var ends = 0
        var fault: RequestFraming.Fault?
        var rest = ""
    }

    private static func read(_ text: String, cuts: [Int], headBytes: Int = 1000, fields: Int = 10) -> Read {
        var framing = RequestFraming(maximumHeadBytes: headBytes, maximumFields: fields)
        let bytes = Array(text.utf8)
        var buffer = ByteBuffer()
        var read = Read()
        var position = 0
        do throws(RequestFraming.Fault) {
            for cut in cuts + [bytes.count] {
                buffer.writeBytes(bytes[position..<cut])
                position = cut
                while let event = try framing.next(&buffer) {
                    switch event {
                    case .head(let head):
                        read.heads.append("\(head.method.rawValue) \(head.target) \(head.length) \(head.keepsAlive)")
                        read.bodies.append("")
                    case .body(let piece): read.bodies[read.bodies.count - 1] += String(buffer: piece)
                    case .end: read.ends += 1
                    }
                }
            }
            read.rest = String(buffer: buffer)
        } catch {
            read.fault = error
        }
        return read
    }

    private static func cutAnywhere(
        _ text: String, headBytes: Int = 1000, fields: Int = 10, _ check: (Read, Comment) throws -> Void
    ) rethrows {
        let seed = UInt64.random(in: .min ... .max)
        var random = Seeded(seed)
        for round in 0..<30 {
            let cuts = round == 0 ? [] : round == 1 ? Array(1..<text.utf8.count) : random.cuts(text.utf8.count)
            try check(
                read(text, cuts: cuts, headBytes: headBytes, fields: fields),
                "seed \(seed), round \(round): \(text.debugDescription)")
        }
    }

    @Test("requests behind each other are told apart, cut anywhere") func requests() {
        Self.cutAnywhere(
            "\r\nPOST /a?b=c HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\nhello"
                + "GET / HTTP/1.1\r\nhost: [::1]:80\r\nConnection: close\r\n\r\n"
                + "PUT /c HTTP/1.1\r\nhost:x\r\ntransfer-encoding: chunked\r\n\r\n3;a=\"b\"\r\nabc\r\n00a\r\n0123456789\r\n0\r\nx: y\r\n\r\n\r\n"
                + "HEAD /d HTTP/1.0\r\n\r\nQUERY /e HTTP/1.0\r\nconnection: te, Keep-Alive\r\n\r\nGET /f HT"
        ) { read, note in
            #expect(read.fault == nil, note)
            #expect(
                read.heads == [
                    "POST /a?b=c length(5) true", "GET / none false", "PUT /c chunked true", "HEAD /d none false",
                    "QUERY /e none true",
                ], note)
            #expect(read.bodies == ["hello", "", "abc0123456789", "", ""], note)
            #expect(read.ends == 5 && read.rest == "GET /f HT", note)
        }
    }

    @Test(
        "what is none is refused at the byte that shows it, however little has come",
        arguments: [
            "\u{16}\u{3}\u{1}", "get", "{\"", "GET\t", " GET", "A-VERY-LONG-METHOD", "GET / HTTP/1.1\n", "\n",
            "GET / HTTP/1.1\r\nhost: x\n", "POST / HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\n1\r\nab",
            "POST / HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\n1\n",
        ])
    func early(text: String) {
        Self.cutAnywhere(text) { read, note in
            guard case .notHTTP = read.fault else {
                Issue.record("\(read): \(note)")
                return
            }
        }
    }

    @Test(
        "what two readers could understand differently is refused, cut anywhere",
        arguments: [
            "GET  / HTTP/1.1\r\nhost: x\r\n\r\n", "GET /  HTTP/1.1\r\nhost: x\r\n\r\n",
            "GET / HTTP/1.1\r\nhost: x\r\ntransfer-encoding:\tChunked\r\n\r\n",
            "GET / HTTP/1.1\r\nhost: x\r\nx : y\r\n\r\n", "GET / HTTP/1.1\r\nhost: x\r\n x: y\r\n\r\n",
            "GET / HTTP/1.1\r\nhost: x\r\n\r\r\n\r\n", "GET http://x/ HTTP/1.1\r\nhost: x\r\n\r\n",
            "CONNECT x:1 HTTP/1.1\r\nhost: x\r\n\r\n", "GET / HTTP/1.1\r\n\r\n",
        ])
    func ambiguous(text: String) {
        Self.cutAnywhere(text) { read, note in
            guard case .notHTTP = read.fault else {
                Issue.record("\(read): \(note)")
                return
            }
        }
    }

    @Test("a head is bounded in bytes and in fields, whether it ends or not") func bounds() {
        let fields = String(repeating: "x: y\r\n", count: 4)
        let head = "GET / HTTP/1.1\r\nhost: x\r\n\(fields)\r\n"
        for (bytes, count, isTaken) in [
            (head.utf8.count, 5, true), (head.utf8.count - 1, 5, false), (head.utf8.count, 4, false),
        ] {
            Self.cutAnywhere(head, headBytes: bytes, fields: count) { read, note in
                #expect(read.fault == (isTaken ? nil : .headTooLarge) && read.ends == (isTaken ? 1 : 0), note)
            }
        }
        Self.cutAnywhere("GET /" + String(repeating: "a", count: 200), headBytes: 100) { read, note in
            #expect(read.fault == .headTooLarge, note)
        }
    }

    // Names are checked by a table of bits, lines sixteen bytes at a time.
    @Test("a field's name is made of the characters of a token") func names() {
        let allowed = Set("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789!#$%&'*+-.^_`|~".utf8)
        for byte in UInt8.min...UInt8.max where byte != UInt8(ascii: ":") {
            let head = [UInt8]("GET / HTTP/1.1\r\nHost: x\r\nx".utf8) + [byte] + [UInt8]("y: 1\r\n\r\n".utf8)
            #expect(Self.reads(head) == allowed.contains(byte), "\(byte)")
        }
    }

    @Test("a value has no control character but the tab, wherever it stands") func values() {
        for place in 0..<40 {
            for byte in UInt8.min...UInt8.max where byte < 0x30 || byte > 0x7D {
                var value = [UInt8](repeating: UInt8(ascii: "v"), count: 40)
                value[place] = byte
                let isAllowed = byte == 0x09 || byte >= 0x20 && byte != 0x7F
                let head = [UInt8]("GET / HTTP/1.1\r\nHost: x\r\nname: ".utf8) + value + [UInt8]("\r\n\r\n".utf8)
                #expect(Self.reads(head) == isAllowed, "\(byte) at \(place)")
            }
        }
    }

    private static func reads(_ head: [UInt8]) -> Bool {
        var framing = RequestFraming(maximumHeadBytes: 1000, maximumFields: 10)
        var buffer = ByteBuffer(bytes: head)
        guard case .head? = try? framing.next(&buffer) else { return false }
        return true
    }
}
