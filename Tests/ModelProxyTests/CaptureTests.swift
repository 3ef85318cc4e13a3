// Part of Rollcall. SPDX-License-Identifier: Apache-2.0

import EvalProtocol
import ModelProxy
import NIOCore
import NIOHTTP1
import Synchronization
import TestSupport
import Testing
import TraceStore
import WireJSON

/// Each kind of server, as it answers a call, streamed and not, by what was asked of it.
@Suite("ModelProxy: capture for training")
struct CaptureTests {
    typealias Token = LogprobsPayload.Token

    struct Case: Sendable, CustomStringConvertible {
        var name: String
        var profile: String
        var capture = Capture.tokens
        /// What the client's body has besides the message.
        var asked = ""
        /// What stands at the end of the body that the upstream gets, in place of `asked`.
        var sent: String
        /// What the upstream answers: a completion, or the data of a stream's events.
        var answer: [String]
        /// What the client sees of it.
        var seen: [String]
        var tokens: [Token] = []
        var prompt: [Int32] = []
        var missing: [String] = []
        var reason = ""
        var routing: [[UInt8]?] = []

        var streams: Bool { asked.contains(#""stream":true"#) }
        var description: String { name }
    }

    static let twoTokens = [Token(id: 11, logprob: -0.5), Token(id: 12, logprob: -1.25)]
    static let noIDs = [Token(id: nil, logprob: -0.5), Token(id: nil, logprob: -1.25)]
    static let ids = ["completion_token_ids", "prompt_token_ids"]

    /// An entry of log probabilities with other members.
    static func entry(_ token: String, _ logprob: String, _ more: String = "") -> String {
        #"{"token":"\#(token)","logprob":\#(logprob),"bytes":[97],"top_logprobs":[]\#(more)}"#
    }

    static func logprobs(_ first: String = "", _ second: String = "") -> String {
        #"{"content":[\#(entry("a", "-0.5", first)), \#(entry(" b", "-1.25", second))]}"#
    }

    static func chunk(_ choice: String, _ more: String = "") -> String {
        #"{"id":"c","object":"chat.completion.chunk","created":1,"model":"m","choices":[\#(choice)]\#(more)}"#
    }

    static func completion(_ choice: String, _ more: String = "") -> String {
        #"{"id":"c","object":"chat.completion","model":"m","choices":[{"index":0,"#
            + #""message":{"role":"assistant","content":"a b"},\#(choice)}],"#
            + #""usage":{"prompt_tokens":3,"completion_tokens":2}\#(more)}"#
    }

    // MARK: The tests

    private static let head = #"{"model":"m","messages":[{"role":"user","content":"hi"}]"#

    @Test(
        "every server is asked in its own way, and the client sees what it asked for",
        arguments: vllm + sglang + llama + fireworks + openai)
    func servers(_ example: Case) async throws {
        let upstream = try await RawUpstream.start()
        let rules = try UpstreamRules(
            upstream: "http://127.0.0.1:\(upstream.port)/v1",
            capture: CaptureRules(captures: [example.capture.rawValue], profiles: [example.profile]))
        try await TestGateway.with(upstream: nil, configure: { $0.upstreams = rules }) { gateway in
            let client = try await RawConnection.connect(port: gateway.port)
            let body = Self.head + example.asked + "}"
            try await client.send(TestGateway.request(headers: ["connection: close"], body: body))
            let served = try await upstream.connection(0, with: Self.head + example.sent + "}")
            if example.streams {
                let events = example.answer.map { "data: \($0)\r\n\r\n" }
                try await served.send(Script.streamHead + events.map(Script.chunk).joined() + Script.end)
            } else {
                try await served.send(Script.answer(example.answer[0]))
            }
            try await client.waitForEnd()
            let answer = try Answer(client.bytes)
            let seen = example.streams ? example.seen.map { "data: \($0)\r\n\r\n" }.joined() : example.seen[0]
            #expect(answer.text == seen && answer.isWhole)
            let call = try #require(gateway.store.calls.first)
            #expect(call.state == .recorded && call.request.body == Array(body.utf8))
            let captured = call.captured
            #expect(captured.capture == example.capture && captured.missing == example.missing)
            #expect(captured.promptTokenIDs == example.prompt)
            #expect(captured.reasons.isEmpty == example.missing.isEmpty || example.reason.isEmpty)
            if !example.reason.isEmpty { #expect(captured.reasons.contains(example.reason), "\(captured.reasons)") }
            let first = captured.choices.first
            #expect(try Self.tokens(first) == example.tokens)
            #expect(try Self.routing(first) == example.routing)
            // What repeats what stands elsewhere is not stored again.
            let stored = try JSONValue(parsing: call.answer)
            let choice = stored["choices"]?[0]
            #expect(stored["prompt_token_ids"]?.array == nil && choice?["prompt_token_ids"]?.array == nil)
            #expect(choice?["routed_experts"] == nil && choice?["message"]?["content"]?.string == "a b")
            #expect(call.edits == Self.added(example).map { "capture:\($0)" })
        }
        try await upstream.stop()
    }

    private static func tokens(_ choice: CapturedTokens.Choice?) throws -> [Token] {
        guard let choice, !choice.logprobs.isEmpty else { return [] }
        return try LogprobsPayload(decoding: choice.logprobs).tokens
    }

    private static func routing(_ choice: CapturedTokens.Choice?) throws -> [[UInt8]?] {
        guard let choice, !choice.routing.isEmpty else { return [] }
        return try RouterReplayPayload(decoding: choice.routing).matrices
    }

    /// The fields that the upstream got and the client did not send so.
    private static func added(_ example: Case) -> [String] {
        let sent = (try? JSONValue(parsing: Array((head + example.sent + "}").utf8)))?.object
        let asked = (try? JSONValue(parsing: Array((head + example.asked + "}").utf8)))?.object
        let first = ["logprobs", "top_logprobs"]
        return (first + (sent?.keys ?? []).filter { !first.contains($0) }).filter { sent?[$0] != asked?[$0] }
    }

    @Test("choices are captured apart, whatever the order of their chunks")
    func choices() async throws {
        let body = Self.head + #","stream":true,"n":2}"#
        let events = [(0, "stop", "-0.5", 11), (1, "stop", "-1.25", 12)].reversed().map { index, reason, logprob, id in
            Self.chunk(
                #"{"index":\#(index),"delta":{"content":"x"},"finish_reason":"\#(reason)","token_ids":[\#(id)],"logprobs":{"content":[\#(Self.entry("x", logprob))]}}"#,
                #","prompt_token_ids":[1]"#)
        }
        let captured = try await capture("vllm", body, events.map { "data: \($0)\n\n" }.joined() + Script.done)
        #expect(captured.missing.isEmpty)
        #expect(try captured.choices.map(Self.tokens) == Self.twoTokens.map { [$0] })
    }

    @Test("of choices that were asked for and did not come, it says so")
    func fewerChoices() async throws {
        let body = Self.head + #","n":2}"#
        let captured = try await capture("openai", body, Self.completion(#""logprobs":\#(Self.logprobs())"#))
        #expect(captured.missing == ["logprobs"] + Self.ids)
    }

    /// What is captured of one call; a stream's body is sent as one chunk.
    private func capture(_ profile: String, _ body: String, _ answer: String) async throws -> CapturedTokens {
        let upstream = try await RawUpstream.start()
        let rules = try UpstreamRules(
            upstream: "http://127.0.0.1:\(upstream.port)",
            capture: CaptureRules(captures: ["tokens"], profiles: [profile]))
        let captured = Kept()
        try await TestGateway.with(upstream: nil, configure: { $0.upstreams = rules }) { gateway in
            let client = try await RawConnection.connect(port: gateway.port)
            try await client.send(TestGateway.request(headers: ["connection: close"], body: body))
            let served = try await upstream.connection(0, with: "hi")
            try await served.send(
                answer.hasPrefix("data:")
                    ? Script.streamHead + Script.chunk(answer) + Script.end : Script.answer(answer))
            try await client.waitForEnd()
            captured.set(try #require(gateway.store.calls.first).captured)
        }
        try await upstream.stop()
        return captured.value
    }

    @Test("a compressed answer loses its compression with what is taken out of it", arguments: [true, false])
    func compressed(streams: Bool) async throws {
        let upstream = try await RawUpstream.start()
        let rules = try UpstreamRules(
            upstream: "http://127.0.0.1:\(upstream.port)",
            capture: CaptureRules(captures: ["logprobs"], profiles: []))
        try await TestGateway.with(upstream: nil, configure: { $0.upstreams = rules }) { gateway in
            let client = try await RawConnection.connect(port: gateway.port)
            let body = Self.head + (streams ? #","stream":true}"# : "}")
            try await client.send(TestGateway.request(headers: ["connection: close"], body: body))
            let served = try await upstream.connection(0, with: "hi")
            let choice = #"{"index":0,"delta":{"content":"a"},"logprobs":\#(Self.logprobs()),"finish_reason":"stop"}"#
            let plain =
                streams
                ? "data: \(Self.chunk(choice))\n\n" + Script.done : Self.completion(#""logprobs":\#(Self.logprobs())"#)
            let zipped = try Zipped.gzip(Array(plain.utf8))
            let type = streams ? "text/event-stream" : "application/json"
            try await served.send(
                Array(
                    "HTTP/1.1 200 OK\r\ncontent-type: \(type)\r\ncontent-encoding: gzip\r\ncontent-length: \(zipped.count)\r\n\r\n"
                        .utf8) + zipped)
            try await client.waitForEnd()
            let answer = try Answer(client.bytes)
            #expect(answer["content-encoding"] == nil && answer.isWhole)
            #expect(answer.text == plain.replacing(Self.logprobs(), with: "null"))
            #expect(gateway.store.calls.first?.captured.missing == [])
        }
        try await upstream.stop()
    }

    @Test("what an upstream tells without a request for it is recorded: the policy's version, and the prompt's ids")
    func unasked() async throws {
        let upstream = try await RawUpstream.start()
        try await TestGateway.with(upstream: "http://127.0.0.1:\(upstream.port)") { gateway in
            let client = try await RawConnection.connect(port: gateway.port)
            let answers = [
                Script.answer(headers: ["x-policy-version: 41"]),
                Script.answer(Self.completion(#""logprobs":null"#, #","metadata":{"weight_version":42}"#)),
                Script.answer(
                    Self.completion(#""logprobs":null"#, #","policy_version":"v43","prompt_token_ids":[4, 5]"#)),
            ]
            for (index, answer) in answers.enumerated() {
                try await client.send(TestGateway.request())
                let served = try await upstream.connection(0, with: "hi")
                served.clear()
                try await served.send(answer)
                try await eventually("call \(index)") { gateway.store.calls.count == index + 1 }
                try await client.waitFor("usage")
                client.clear()
            }
            #expect(gateway.store.calls.map(\.policyVersion) == ["41", "42", "v43"])
            let last = gateway.store.calls[2]
            #expect(last.captured == CapturedTokens(promptTokenIDs: [4, 5]))
            #expect(!String(decoding: last.answer, as: UTF8.self).contains("prompt_token_ids"))
        }
        try await upstream.stop()
    }

    @Test("chunks are edited whole, however their bytes are cut, and after the record too", arguments: 0..<8)
    func cutAnywhere(_ number: Int) throws {
        var random = SeededGenerator.printingSeed()
        let example = try #require((Self.vllm + Self.fireworks).filter(\.streams).randomElement(using: &random))
        let request = try ModelRequest(body: Array((Self.head + example.asked + "}").utf8))
        let profile = try #require(UpstreamProfile(example.profile))
        let plan = ModelCall.Plan(
            isRecorded: true, streams: true, capture: CapturePlan(.tokens, of: profile, request))
        let now = NIODeadline.uptimeNanoseconds(1)
        var call = ModelCall(plan, now: now)
        let head = ResponseHead(
            status: 200, reason: "", headers: ["content-type": "text/event-stream"], length: .chunked,
            keepsAlive: true)
        _ = call.answered(head, now: now)
        // The last event lacks its empty line.
        var rest = Array((example.answer.dropLast().map { "data: \($0)\n\n" }.joined() + ": bye").utf8)[...]
        var seen = ByteBuffer()
        while !rest.isEmpty {
            let count = Int.random(in: 1...60, using: &random)
            let step = call.received(ByteBuffer(bytes: rest.prefix(count)), now: now)
            if let bytes = step.bytes { seen.writeImmutableBuffer(bytes) }
            rest = rest.dropFirst(count)
            if case .holding = call.phase, Bool.random(using: &random) {
                _ = call.checkTime(isPaused: false, now: now + .seconds(31))
                if let bytes = call.recorded(true, now: now).bytes { seen.writeImmutableBuffer(bytes) }
            }
        }
        var last = call.upstreamEnded(now: now)
        if call.phase != .ended { last = call.recorded(true, now: now) }
        if let bytes = last.bytes { seen.writeImmutableBuffer(bytes) }
        #expect(String(buffer: seen) == example.seen.dropLast().map { "data: \($0)\n\n" }.joined() + ": bye")
        #expect(last.end == .clean && call.phase == .ended)
        #expect(call.captured.promptTokenIDs == example.prompt)
    }

    @Test("a call that is not recorded is not asked for more")
    func unrecorded() async throws {
        let upstream = try await RawUpstream.start()
        let rules = try UpstreamRules(
            upstream: "http://127.0.0.1:\(upstream.port)",
            capture: CaptureRules(captures: ["tokens"], profiles: ["vllm"]))
        try await TestGateway.with(upstream: nil, configure: { $0.upstreams = rules }) { gateway in
            let client = try await RawConnection.connect(port: gateway.port)
            try await client.send(TestGateway.request("POST", "/chat/completions", body: Self.head + "}"))
            let served = try await upstream.connection(0, with: Self.head + "}")
            try await served.send(Script.answer())
            try await client.waitFor(Script.completion)
        }
        try await upstream.stop()
    }

    private final class Kept: Sendable {
        private let kept = Mutex(CapturedTokens())
        var value: CapturedTokens { kept.withLock { $0 } }
        func set(_ value: CapturedTokens) { kept.withLock { $0 = value } }
    }
}
