// Part of Rollcall. SPDX-License-Identifier: Apache-2.0

import ModelProxy
import NIOCore
import TestSupport
import Testing
import TraceStore

/// What upstreams do to a call, right and wrong: what the client gets, and what is recorded.
@Suite("ModelProxy: upstreams as they are")
struct WildUpstreamTests {
    enum Ending: Sendable { case staysOpen, closes, resets }

    struct Case: Sendable, CustomTestStringConvertible {
        var name: String
        var streams = false
        var answer: String
        var ending = Ending.staysOpen
        var status = 200
        var state = CallRecord.State.recorded
        /// In what the client gets.
        var words: [String]
        var isWhole = true
        /// Whether the next call is sent on the same connection.
        var isReused = false
        var testDescription: String { name }
    }

    private static let length = "content-length: \(Script.completion.utf8.count)\r\n"
    private static let json = "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\n"
    private static let chunkedJSON = json + "transfer-encoding: chunked\r\n\r\n"
    private static let finished = Script.event("hel") + Script.event("lo", finish: "stop") + Script.done

    static let unstreamed: [Case] = [
        Case(
            name: "a length", answer: json + length + "\r\n" + Script.completion, words: ["x_unknown"], isReused: true),
        Case(
            name: "chunks and trailers",
            answer: chunkedJSON + Script.chunk(Script.completion) + "0\r\nx-sum: 1\r\n\r\n",
            words: ["x_unknown"], isReused: true),
        Case(name: "until it closes", answer: json + "\r\n" + Script.completion, ending: .closes, words: ["x_unknown"]),
        Case(
            name: "interim answers first",
            answer:
                "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 102 Processing\r\n\r\nHTTP/1.1 103 Early Hints\r\nlink: x\r\n\r\n"
                + json + length + "\r\n" + Script.completion,
            words: ["x_unknown"], isReused: true),
        Case(
            name: "it says that it closes, and does not",
            answer: json + length + "Connection: Close\r\n\r\n" + Script.completion, words: ["x_unknown"]),
        Case(
            name: "something unasked behind the answer",
            answer: json + length + "\r\n" + Script.completion + "HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n",
            words: ["x_unknown"]),
        Case(
            name: "HTTP/1.0", answer: json.replacing("1.1", with: "1.0") + length + "\r\n" + Script.completion,
            words: ["x_unknown"]),
        Case(
            name: "brotli though identity was asked for",
            answer: json + length + "content-encoding: br\r\n\r\n"
                + Script.completion, status: 502, state: .failed, words: ["upstream_encoding", "br"]),
        Case(
            name: "zstd likewise", answer: json + length + "content-encoding: zstd\r\n\r\n" + Script.completion,
            status: 502, state: .failed, words: ["upstream_encoding", "zstd"]),
        Case(
            name: "gzip that is none", answer: json + length + "content-encoding: gzip\r\n\r\n" + Script.completion,
            state: .failed, words: ["x_unknown"], isReused: true),
        Case(
            name: "another protocol", answer: "HTTP/1.1 101 Switching Protocols\r\nupgrade: x\r\n\r\n", status: 502,
            state: .failed, words: ["upstream_failed"]),
        Case(
            name: "it breaks off within the head", answer: "HTTP/1.1 200 OK\r\ncontent-ty", ending: .closes,
            status: 502,
            state: .failed, words: ["upstream_failed"]),
        Case(
            name: "it resets within the head", answer: "HTTP/1.1 200 OK\r\ncontent-ty", ending: .resets, status: 502,
            state: .failed, words: ["upstream_failed"]),
        Case(
            name: "it falls silent within the head", answer: "HTTP/1.1 200 OK\r\ncontent-ty", status: 504,
            state: .failed, words: ["upstream_timeout"]),
        Case(
            name: "it breaks off within the body", answer: json + length + "\r\n{\"choices\":[", ending: .closes,
            status: 502, state: .cut, words: ["upstream_failed"]),
        Case(
            name: "it resets within the body", answer: json + length + "\r\n{\"choices\":[", ending: .resets,
            status: 502, state: .cut, words: ["upstream_failed"]),
        Case(
            name: "it falls silent within the body", answer: json + length + "\r\n{\"choices\":[", status: 504,
            state: .cut, words: ["upstream_timeout"]),
        Case(
            name: "it breaks off within a chunk", answer: chunkedJSON + "fff\r\n{\"choices\":[", ending: .closes,
            status: 502, state: .cut, words: ["upstream_failed"]),
        Case(
            name: "it breaks off before the last chunk", answer: chunkedJSON + Script.chunk(Script.completion),
            ending: .closes, status: 502, state: .cut, words: ["upstream_failed"]),
        Case(
            name: "a chunk that is none", answer: chunkedJSON + "xyz\r\n", status: 502, state: .cut,
            words: ["upstream_failed"]),
    ]

    static let streamed: [Case] = [
        Case(
            name: "stream: chunks and trailers", streams: true,
            answer: Script.streamHead + Script.chunk(finished) + "0\r\nx-sum: 1\r\n\r\n", words: ["lo", "[DONE]"],
            isReused: true),
        Case(
            name: "stream: a length", streams: true,
            answer:
                "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ncontent-length: \(finished.utf8.count)\r\n\r\n"
                + finished, words: ["lo", "[DONE]"], isReused: true),
        Case(
            name: "stream: until it closes", streams: true,
            answer: "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\n\r\n" + finished, ending: .closes,
            words: ["lo", "[DONE]"]),
        Case(
            name: "stream: interim answers first", streams: true,
            answer: "HTTP/1.1 103 Early Hints\r\n\r\n" + Script.streamHead + Script.chunk(finished) + Script.end,
            words: ["lo", "[DONE]"], isReused: true),
        Case(
            name: "stream: it breaks off within an event", streams: true,
            answer: Script.streamHead + Script.chunk(Script.event("hel") + "data: {\"cho"), ending: .closes,
            state: .cut,
            words: ["hel", "upstream_failed"], isWhole: false),
        Case(
            name: "stream: it resets within a chunk", streams: true,
            answer: Script.streamHead + Script.chunk(Script.event("hel")) + "fff\r\ndata: ", ending: .resets,
            state: .cut,
            words: ["hel", "upstream_failed"], isWhole: false),
        Case(
            name: "stream: it falls silent", streams: true,
            answer: Script.streamHead + Script.chunk(Script.event("hel")),
            state: .cut, words: ["hel", "upstream_timeout"], isWhole: false),
        Case(
            name: "stream: a length that is not reached", streams: true,
            answer: "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ncontent-length: 9999\r\n\r\n"
                + Script.event("hel"), ending: .closes, state: .cut, words: ["hel"], isWhole: false),
        Case(
            name: "stream: it breaks off within the head", streams: true, answer: "HTTP/1.1 200 OK\r\ncontent-type: te",
            ending: .closes, status: 502, state: .failed, words: ["upstream_failed"]),
        Case(
            name: "stream: it breaks off after the finish", streams: true,
            answer: Script.streamHead + Script.chunk(finished), ending: .resets, words: ["lo", "[DONE]"]),
    ]

    @Test("what the client gets, and the record", arguments: unstreamed + streamed)
    func table(_ example: Case) async throws {
        let upstream = try await RawUpstream.start()
        try await TestGateway.with(
            upstream: "http://127.0.0.1:\(upstream.port)",
            configure: {
                $0.timeouts.firstByte = .milliseconds(500)
                $0.timeouts.idle = .milliseconds(500)
            }
        ) { gateway in
            let body = example.streams ? TestGateway.streaming : #"{"messages":[]}"#
            let request = TestGateway.request(body: body)
            let client = try await RawConnection.connect(port: gateway.port)
            try await client.send(request)
            let served = try await upstream.connection(0, with: body)
            try await served.send(example.answer)
            switch example.ending {
            case .staysOpen: break
            case .closes: try await served.shutDownOutput()
            case .resets:
                if example.streams { try await client.waitFor("hel") }
                try await served.reset()
            }
            // An answer that is not whole ends the connection; one that is may be followed by the next.
            try await eventually("the end of the answer: \(client.text)") {
                if !example.isWhole { return client.hasEnded }
                return (try? Answer(client.bytes))?.isWhole == true
                    && example.words.allSatisfy { client.text.contains($0) }
            }
            let answer = try Answer(client.bytes)
            #expect(answer.status == example.status)
            #expect(answer.isWhole == example.isWhole)
            for word in example.words { #expect(answer.text.contains(word), "\(answer.text)") }
            try await eventually("the record") { gateway.store.calls.count == 1 }
            #expect(gateway.store.calls[0].state == example.state)

            // On the same connection, where that goes on, and so on the same event loop.
            let next = answer.isWhole ? client : try await RawConnection.connect(port: gateway.port)
            next.clear()
            served.clear()
            try await next.send(request)
            let again = try await upstream.connection(example.isReused ? 0 : 1, with: body)
            try await again.send(Script.answer())
            try await next.waitFor("x_unknown")
            #expect(upstream.connections.count == (example.isReused ? 1 : 2))
            try? await client.close()
            try? await next.close()
        }
        try await upstream.stop()
    }

    @Test(
        "an answer that is compressed all the same passes as it is, and its record is inflated",
        arguments: [("gzip", 31), ("deflate", 15), ("deflate", -15)] as [(String, Int32)], [false, true])
    func compressed(encoding: (name: String, windowBits: Int32), streams: Bool) async throws {
        let upstream = try await RawUpstream.start()
        try await TestGateway.with(upstream: "http://127.0.0.1:\(upstream.port)") { gateway in
            let text = streams ? Self.finished : Script.completion
            let bytes = try Zipped.compressed(Array(text.utf8), windowBits: encoding.windowBits)
            let client = try await RawConnection.connect(port: gateway.port)
            try await client.send(TestGateway.request(body: streams ? TestGateway.streaming : #"{"messages":[]}"#))
            let served = try await upstream.connection(0, with: "messages")
            #expect(served.text.contains("accept-encoding: identity\r\n"))
            let head =
                "HTTP/1.1 200 OK\r\ncontent-type: \(streams ? "text/event-stream" : "application/json")\r\n"
                + "content-encoding: \(encoding.name)\r\ncontent-length: \(bytes.count)\r\n\r\n"
            // In pieces, as a network would bring it.
            for piece in [bytes.prefix(7), bytes.dropFirst(7).prefix(11), bytes.dropFirst(18)] {
                try await served.send(piece.startIndex == 0 ? Array(head.utf8) + piece : Array(piece))
            }
            try await eventually("the whole answer") { (try? Answer(client.bytes))?.isWhole == true }
            let answer = try Answer(client.bytes)
            #expect(answer.status == 200 && answer["content-encoding"] == encoding.name && answer.body == bytes)
            try await eventually("the record") { gateway.store.calls.count == 1 }
            #expect(gateway.store.calls[0].state == .recorded)
            #expect(
                String(decoding: gateway.store.calls[0].answer, as: UTF8.self).contains(streams ? "hello" : "x_unknown")
            )
            try await client.close()
        }
        try await upstream.stop()
    }

    @Test("an answer that comes before the body has been read is passed on, and its connection is not used again")
    func earlyAnswer() async throws {
        let upstream = try await RawUpstream.start { channel in
            try channel.syncOptions?.setOption(.autoRead, value: false)
        }
        try await TestGateway.with(upstream: "http://127.0.0.1:\(upstream.port)") { gateway in
            let text = String(repeating: "x", count: 24 << 20)
            let client = try await RawConnection.connect(port: gateway.port)
            try await client.send(TestGateway.request(body: #"{"messages":[{"content":"\#(text)"}]}"#))
            let served = try await upstream.connection(0)
            try await served.send(Script.answer(#"{"error":"too large"}"#, status: "413 Content Too Large"))
            try await client.waitFor("too large")
            #expect(try Answer(client.bytes).status == 413)
            let next = try await RawConnection.connect(port: gateway.port)
            try await next.send(TestGateway.request())
            let fresh = try await upstream.connection(1)
            try await fresh.startReading()
            try await fresh.waitFor(#""hi"}]}"#)
            try await fresh.send(Script.answer())
            try await next.waitFor("x_unknown")
            try await client.close()
            try await next.close()
        }
        try await upstream.stop()
    }
}
