// Part of Rollcall. SPDX-License-Identifier: Apache-2.0

import ModelProxy
import NIOCore

/// An upstream's answer is framed the same wherever it is cut, and its body is as long as its head says.
enum AnswersFuzz: FuzzTarget {
    static let name = "answers"

    static let seeds = [
        "HTTP/1.1 200 OK\r\nContent-Length: 5\r\nConnection: close\r\n\r\nhelloHTTP/1.1 200",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: Chunked\r\n\r\n3;a=b\r\nabc\r\n0A \r\n0123456789\r\n0\r\nx-sum: 1\r\n\r\nrest",
        "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early\r\nlink: x\r\n\r\nHTTP/1.0 200 OK\r\nconnection: keep-alive\r\n\r\nx",
        "HTTP/1.1 204\r\n\r\n", "HTTP/1.1 304 Not Modified\r\ncontent-length: 7\r\nx:\t y \t\r\n\r\n",
    ].map { Array($0.utf8) }

    static func run(_ input: [UInt8]) {
        for isAnswerToHEAD in [false, true] {
            let whole = Answer([input], isAnswerToHEAD)
            require(Answer(input.singles, isAnswerToHEAD) == whole, "an answer is the same byte by byte")
            require(Answer(input.pieces, isAnswerToHEAD) == whole, "an answer is the same in pieces")
            check(whole, of: input)
        }
    }

    private struct Answer: Equatable {
        var head: ResponseHead?
        var body: [UInt8] = []
        var hasEnded = false
        var hasFailed = false
        /// What came after the end.
        var rest: [UInt8] = []

        init(_ pieces: [[UInt8]], _ isAnswerToHEAD: Bool) {
            var framing = ResponseFraming(isAnswerToHEAD: isAnswerToHEAD)
            var buffer = ByteBuffer()
            do {
                for piece in pieces {
                    buffer.writeBytes(piece)
                    while let event = try framing.next(&buffer) { note(event) }
                }
                if hasEnded { rest = Array(buffer.readableBytesView) }
                if let event = try framing.inputEnded() { note(event) }
            } catch {
                hasFailed = true
            }
        }

        private mutating func note(_ event: ResponseFraming.Event) {
            require(!hasEnded, "nothing follows the end")
            switch event {
            case .head(let head):
                require(self.head == nil, "there is one head")
                self.head = head
            case .body(let piece):
                require(head != nil, "the head comes first")
                body += piece.readableBytesView
            case .end: hasEnded = true
            }
        }
    }

    private static func check(_ answer: Answer, of input: [UInt8]) {
        require(answer.hasEnded != answer.hasFailed, "an answer ends or fails")
        require(answer.rest == input.suffix(answer.rest.count), "what follows the end is left alone")
        guard let head = answer.head, answer.hasEnded else { return }
        require((200...999).contains(head.status), "an answer has the status of one")
        switch head.length {
        case .none: require(answer.body.isEmpty, "an answer without a body has none")
        case .length(let length): require(answer.body.count == length, "a body has its length")
        case .chunked: break
        case .untilClose: require(!head.keepsAlive && answer.rest.isEmpty, "a connection that ends a body is not kept")
        }
        for (name, value) in head.headers.strings {
            require(
                !name.isEmpty && !(name + value).utf8.contains { $0 < 0x20 && $0 != 0x09 || $0 == 0x7F },
                "a header has a name and no line ends")
        }
    }
}
