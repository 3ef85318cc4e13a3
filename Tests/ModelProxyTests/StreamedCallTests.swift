// Part of Rollcall. SPDX-License-Identifier: Apache-2.0

import EvalProtocol
import ModelProxy
import NIOCore
import Synchronization
import TestSupport
import Testing
import TraceStore
import WireJSON

@Suite("ModelProxy: streamed calls")
struct StreamedCallTests {
    /// A gateway, and the two ends of one streamed call through it.
    private func withStream(
        body: String = TestGateway.streaming, headers: [String] = [], version: String = "1.1",
        configure: @Sendable @escaping (inout ProxyConfiguration) throws -> Void = { _ in },
        run: @Sendable @escaping (TestGateway, _ client: RawConnection, _ upstream: RawConnection) async throws -> Void
    ) async throws {
        let upstream = try await RawUpstream.start()
        try await TestGateway.with(upstream: "http://127.0.0.1:\(upstream.port)", configure: configure) { gateway in
            let client = try await RawConnection.connect(port: gateway.port)
            try await client.send(TestGateway.request(headers: headers, body: body, version: version))
            try await run(gateway, client, try await upstream.connection(0, with: "hi"))
            try? await client.close()
        }
        try await upstream.stop()
    }

    @Test("events pass at once, and from the one that finishes on they wait for the commit")
    func holds() async throws {
        try await withStream { gateway, client, upstream in
            gateway.store.hold()
            let first = ": hello\r\n\r\n" + Script.event("h\u{2028}é")
            try await upstream.send(Script.streamHead + Script.chunk(first))
            try await client.waitFor("\u{2028}é")
            #expect(gateway.store.calls.isEmpty)
            let last = Script.event("!", finish: "stop")
            let usage = "data: {\"choices\":[],\"usage\":{\"prompt_tokens\":3,\"completion_tokens\":2}}\n\n"
            try await upstream.send(Script.chunk(last) + Script.chunk(usage + Script.done) + Script.end)
            try await eventually("a commit that waits") { gateway.store.isWaiting }
            #expect(try Answer(client.bytes).text == first)
            gateway.store.release()
            try await client.waitFor("[DONE]")
            try await client.waitFor("\r\n0\r\n\r\n")
            let answer = try Answer(client.bytes)
            #expect(answer.text == first + last + usage + Script.done && answer.isWhole)
            #expect(answer["content-type"] == "text/event-stream" && answer["x-rollcall-request-id"] != nil)
            let call = gateway.store.calls[0]
            #expect(call.state == .recorded && call.streamed && call.finishReason == "stop")
            #expect(call.usage == Usage(promptTokens: 3, completionTokens: 2))
            let content = try JSONValue(parsing: call.answer)["choices"]?.array?.first?["message"]?["content"]?.string
            #expect(content == "h\u{2028}é!")
        }
    }

    @Test("an event cut over packets passes whole")
    func cutEvents() async throws {
        try await withStream { gateway, client, upstream in
            let all = Script.event("one") + Script.event("two") + Script.event("", finish: "stop") + Script.done
            try await upstream.send(Script.streamHead)
            for byte in Array(all.utf8) { try await upstream.send(Array("1\r\n".utf8) + [byte] + Array("\r\n".utf8)) }
            try await upstream.send(Script.end)
            try await client.waitFor("\r\n0\r\n\r\n")
            #expect(try Answer(client.bytes).text == all)
            #expect(gateway.store.calls.map(\.state) == [.recorded])
        }
    }

    @Test("every choice that was asked for must finish before the holding begins")
    func choices() async throws {
        let body = #"{"stream":true,"n":2,"messages":[{"role":"user","content":"hi"}]}"#
        try await withStream(body: body) { gateway, client, upstream in
            gateway.store.hold()
            try await upstream.send(
                Script.streamHead + Script.chunk(Script.event("a", finish: "stop") + Script.event("b", index: 1)))
            try await client.waitFor("\"index\":1")
            try await upstream.send(
                Script.chunk(Script.event("c", finish: "length", index: 1)) + Script.chunk(Script.done))
            try await eventually("a commit that waits") { gateway.store.isWaiting }
            #expect(!client.text.contains("length"))
            gateway.store.release()
            try await upstream.send(Script.end)
            try await client.waitFor("\r\n0\r\n\r\n")
            #expect(gateway.store.calls.count == 1)
        }
    }

    @Test("[DONE] completes a call whose choices have not finished, and is held")
    func doneAlone() async throws {
        try await withStream { gateway, client, upstream in
            gateway.store.hold()
            try await upstream.send(Script.streamHead + Script.chunk(Script.event("a")) + Script.chunk(Script.done))
            try await eventually("a commit that waits") { gateway.store.isWaiting }
            #expect(!client.text.contains("DONE"))
            gateway.store.release()
            try await client.waitFor("DONE")
            #expect(gateway.store.calls.map(\.state) == [.recorded])
        }
    }

    @Test("an upstream that ends or breaks after the finish is complete", arguments: [true, false])
    func endsWithoutDone(cleanly: Bool) async throws {
        try await withStream { gateway, client, upstream in
            try await upstream.send(Script.streamHead + Script.chunk(Script.event("a", finish: "stop")))
            if cleanly { try await upstream.send(Script.end) } else { try await upstream.close() }
            try await client.waitFor("\r\n0\r\n\r\n")
            #expect(gateway.store.calls.map(\.state) == [.recorded])
        }
    }

    @Test("an upstream that falls silent after the finish is complete; what still comes is added to the record")
    func silence() async throws {
        try await withStream(configure: { $0.timeouts.silence = .milliseconds(300) }) { gateway, client, upstream in
            try await upstream.send(Script.streamHead + Script.chunk(Script.event("a", finish: "stop")))
            try await client.waitFor("stop")
            #expect(gateway.store.calls.map(\.state) == [.recorded])
            #expect(!client.text.contains("\r\n0\r\n\r\n"))
            try await upstream.send(
                Script.chunk("data: {\"choices\":[],\"usage\":{\"prompt_tokens\":3,\"completion_tokens\":2}}\n\n")
                    + Script.chunk(Script.done) + Script.end)
            try await client.waitFor("\r\n0\r\n\r\n")
            try await eventually("the amendment") { gateway.store.amendments.count == 1 }
            #expect(gateway.store.amendments[0].usage == Usage(promptTokens: 3, completionTokens: 2))
            #expect(gateway.store.amendments[0].callID == 1)
        }
    }

    @Test("an upstream that goes on sending after the finish is held for a time only")
    func holdLimit() async throws {
        try await withStream(configure: { $0.timeouts.hold = .milliseconds(400) }) { gateway, client, upstream in
            try await upstream.send(Script.streamHead + Script.chunk(Script.event("a", finish: "stop")))
            try await eventually("the release") {
                try await upstream.send(Script.chunk(": still here\n\n"))
                return client.text.contains("stop")
            }
            #expect(gateway.store.calls.map(\.state) == [.recorded])
        }
    }

    @Test("a stream that breaks off before the finish never looks like a clean end", arguments: [true, false])
    func breaksOff(cleanly: Bool) async throws {
        try await withStream { gateway, client, upstream in
            try await upstream.send(Script.streamHead + Script.chunk(Script.event("a")))
            try await client.waitFor("\"a\"")
            if cleanly { try await upstream.send(Script.end) } else { try await upstream.reset() }
            try await client.waitForEnd()
            let answer = try Answer(client.bytes)
            #expect(!answer.isWhole && answer.text.contains("data: {\"error\""))
            try await eventually("the record") { gateway.store.calls.map(\.state) == [.cut] }
        }
    }

    @Test("a failed commit is told in the stream, which then breaks off")
    func notRecorded() async throws {
        try await withStream { gateway, client, upstream in
            gateway.store.fail(with: StoreError(.refused, "no"))
            try await upstream.send(
                Script.streamHead + Script.chunk(Script.event("a"))
                    + Script.chunk(Script.event("b", finish: "stop") + Script.done) + Script.end)
            try await client.waitForEnd()
            let answer = try Answer(client.bytes)
            #expect(!answer.isWhole && answer.text.hasPrefix(Script.event("a") + "data: {\"error\""))
            #expect(
                answer.text.contains("not_recorded") && !answer.text.contains("stop") && !answer.text.contains("DONE"))
        }
    }

    @Test("an HTTP/1.0 client gets no chunks, and a broken stream as a reset")
    func http10() async throws {
        try await withStream(version: "1.0") { gateway, client, upstream in
            try await upstream.send(
                Script.streamHead + Script.chunk(Script.event("a", finish: "stop") + Script.done) + Script.end)
            try await client.waitForEnd()
            #expect(client.text.hasPrefix("HTTP/1.0 200"))
            let answer = try Answer(client.bytes)
            #expect(answer["transfer-encoding"] == nil && answer["content-length"] == nil)
            #expect(answer.text == Script.event("a", finish: "stop") + Script.done)
        }
    }

    @Test("a client that resets before the finish cancels the call; one that ends its side does not")
    func clientGone() async throws {
        try await withStream { gateway, client, upstream in
            try await upstream.send(Script.streamHead + Script.chunk(Script.event("a")))
            try await client.waitFor("\"a\"")
            try await client.reset()
            try await upstream.waitForEnd()
            try await eventually("the record") { gateway.store.calls.map(\.state) == [.cut] }
        }
        try await withStream { gateway, client, upstream in
            try await client.shutDownOutput()
            try await upstream.send(Script.streamHead + Script.chunk(Script.event("a")))
            try await client.waitFor("\"a\"")
            try await upstream.send(Script.chunk(Script.event("b", finish: "stop") + Script.done) + Script.end)
            try await client.waitForEnd()
            #expect(try Answer(client.bytes).isWhole)
            #expect(gateway.store.calls.map(\.state) == [.recorded])
        }
    }

    @Test("a client that goes after the finish leaves a record all the same")
    func clientGoneLate() async throws {
        try await withStream(configure: { $0.timeouts.silence = .milliseconds(200) }) { gateway, client, upstream in
            gateway.store.hold()
            try await upstream.send(Script.streamHead + Script.chunk(Script.event("a")))
            try await client.waitFor("\"a\"")
            try await upstream.send(Script.chunk(Script.event("b", finish: "stop")))
            try await eventually("a commit that waits") { gateway.store.isWaiting }
            try await client.reset()
            gateway.store.release()
            try await eventually("the record") { gateway.store.calls.map(\.state) == [.recorded] }
            try await upstream.waitForEnd()
        }
    }

    @Test("a slow reader slows the upstream down, and nothing is lost")
    func backPressure() async throws {
        let upstream = try await RawUpstream.start()
        try await TestGateway.with(upstream: "http://127.0.0.1:\(upstream.port)") { gateway in
            let client = try await RawConnection.connect(port: gateway.port, reads: false)
            try await client.send(TestGateway.request(body: TestGateway.streaming))
            let served = try await upstream.connection(0, with: "hi")
            let piece = Script.event(String(repeating: "x", count: 100_000))
            try await served.send(Script.streamHead)
            let total = 400
            let sent = Mutex(0)
            let sender = Task {
                for _ in 0..<total {
                    try await served.send(Script.chunk(piece))
                    sent.withLock { $0 += 1 }
                }
                try await served.send(Script.chunk(Script.event("", finish: "stop") + Script.done) + Script.end)
            }
            // The upstream comes to a standstill: it cannot get rid of 40 MB while nobody reads. A writable moment
            // proves nothing, so a second without a piece taken does.
            var before = -1
            while sent.withLock({ $0 }) != before {
                before = sent.withLock { $0 }
                try await Task.sleep(for: .seconds(1))
            }
            #expect(before < total)
            try await client.startReading()
            try await sender.value
            try await eventually("the end of the stream") { client.bytes.suffix(5) == Array(Script.end.utf8)[...] }
            #expect(
                try Answer(client.bytes).body.count == piece.utf8.count * total
                    + (Script.event("", finish: "stop") + Script.done).utf8.count)
            try await client.close()
        }
        try await upstream.stop()
    }

    @Test("a gzipped stream passes as it is and is read for the record")
    func compressed() async throws {
        try await withStream { gateway, client, upstream in
            let zipped = try Zipped.gzip(
                Array((Script.event("a") + Script.event("b", finish: "stop") + Script.done).utf8))
            let head =
                "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ncontent-encoding: gzip\r\ncontent-length: \(zipped.count)\r\n\r\n"
            gateway.store.hold()
            try await upstream.send(Array(head.utf8) + zipped)
            try await eventually("a commit that waits") { gateway.store.isWaiting }
            gateway.store.release()
            try await eventually("the answer") { (try? Answer(client.bytes).body) == zipped }
            #expect(gateway.store.calls[0].finishReason == "stop")
        }
    }
}
