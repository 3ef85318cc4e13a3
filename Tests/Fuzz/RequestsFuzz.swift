// Part of Rollcall. SPDX-License-Identifier: Apache-2.0

import ModelProxy
import NIOCore

/// A client's requests are the same wherever their bytes are cut, and nothing that two readers could understand differently
/// is one.
enum RequestsFuzz: FuzzTarget {
    static let name = "requests"

    static let seeds = [
        "POST /v1/chat/completions HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\nhelloGET / HTTP/1.1\r\nhost: y\r\n\r\n",
        "POST /logs HTTP/1.1\r\nhost: x:1\r\ntransfer-encoding: chunked\r\n\r\n3;a=b\r\nabc\r\n0\r\nx-sum: 1\r\n\r\n\r\nGET /",
        "HEAD /health?a=b HTTP/1.0\r\nconnection: Keep-Alive, x\r\nexpect: 100-continue\r\n\r\n",
        "OPTIONS /x HTTP/1.1\r\nhost: [::1]\r\nupgrade: h2c\r\nauthorization: Bearer k\r\nx:\t y \t\r\n\r\n",
    ].map { Array($0.utf8) }

    static func run(_ input: [UInt8]) {
        let whole = Requests([input])
        require(Requests(input.singles) == whole, "requests are the same byte by byte")
        require(Requests(input.pieces) == whole, "requests are the same in pieces")
        for request in whole.all { check(request) }
    }

    private struct Request: Equatable {
        var target: String
        var fields: [String]
        var length: BodyLength
        var body: [UInt8] = []
        var hasEnded = false
    }

    private struct Requests: Equatable {
        var all: [Request] = []
        var hasFailed = false

        init(_ pieces: [[UInt8]]) {
            var framing = RequestFraming(maximumHeadBytes: 4096, maximumFields: 32)
            var buffer = ByteBuffer()
            do {
                for piece in pieces {
                    buffer.writeBytes(piece)
                    while let event = try framing.next(&buffer) { note(event) }
                }
            } catch {
                hasFailed = true
            }
        }

        private mutating func note(_ event: RequestFraming.Event) {
            switch event {
            case .head(let head):
                require(all.last?.hasEnded ?? true, "a request ends before the next begins")
                let fields = head.headers.strings.map { "\($0): \($1)" }
                all.append(Request(target: head.target, fields: fields, length: head.length))
            case .body(let piece): all[all.count - 1].body += piece.readableBytesView
            case .end: all[all.count - 1].hasEnded = true
            }
        }
    }

    private static func check(_ request: Request) {
        require(request.target.utf8.first == UInt8(ascii: "/"), "a target is a path")
        require(!request.target.utf8.contains { $0 <= 0x20 || $0 >= 0x7F }, "a target is printable")
        for field in request.fields {
            require(!field.utf8.contains { $0 < 0x20 && $0 != 0x09 || $0 == 0x7F }, "a field has no line ends")
        }
        guard request.hasEnded else { return }
        switch request.length {
        case .none: require(request.body.isEmpty, "a request without a body has none")
        case .length(let length): require(request.body.count == length, "a body has its length")
        case .chunked: break
        case .untilClose: require(false, "no request's body ends with the connection")
        }
    }
}
