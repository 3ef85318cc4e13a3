// Part of Rollcall. SPDX-License-Identifier: Apache-2.0

import EvalProtocol
import ModelProxy
import NIOCore
import Testing
import TraceStore

@Suite("ModelProxy: the life of a call")
struct ModelCallTests {
    private let start = NIODeadline.uptimeNanoseconds(1_000_000_000_000)

    private func call(
        streams: Bool = false, choices: Int = 1, recorded: Bool = true, toleratesEnd: Bool = false,
        maximum: Int = 1 << 20
    ) -> ModelCall {
        ModelCall(
            .init(
                isRecorded: recorded, streams: streams, choices: choices, toleratesEnd: toleratesEnd,
                maximumAnswerBytes: maximum),
            now: start)
    }

    private func head(_ status: Int = 200, type: String = "application/json", encoding: String? = nil) -> ResponseHead {
        let headers: HeaderFields =
            if let encoding { ["content-type": type, "content-encoding": encoding] } else { ["content-type": type] }
        return ResponseHead(status: status, reason: "", headers: headers, length: .chunked, keepsAlive: true)
    }

    private func after(_ seconds: Int64) -> NIODeadline { start + .seconds(seconds) }
    private func bytes(_ text: String) -> ByteBuffer { ByteBuffer(string: text) }
    private var streamHead: ResponseHead { head(type: "text/event-stream; charset=utf-8") }
    private let finish = Script.event("b", finish: "stop")

    @Test("unstreamed: the head and the body wait for the record")
    func unstreamed() {
        var call = call()
        #expect(call.answered(head(), now: start).head == nil)
        #expect(call.received(bytes(Script.completion), now: start).bytes == nil)
        let ended = call.upstreamEnded(now: start)
        #expect(ended.record?.state == .recorded && ended.bytes == nil && ended.end == nil)
        let step = call.recorded(true, now: start)
        #expect(step.head?.status == 200 && step.bytes == bytes(Script.completion) && step.end == .clean)
        #expect(call.phase == .ended)
    }

    @Test("an answer that is no event stream is collected, though a stream was asked for")
    func streamAskedFor() {
        var call = call(streams: true)
        _ = call.answered(head(), now: start)
        #expect(call.phase == .collecting)
    }

    @Test("a commit that takes over ten seconds counts as failed, and one that comes later changes nothing")
    func recordFails() {
        var call = call()
        _ = call.answered(head(), now: start)
        _ = call.received(bytes(Script.completion), now: start)
        _ = call.upstreamEnded(now: start)
        #expect(call.checkTime(isPaused: false, now: after(9)).problem == nil)
        #expect(call.checkTime(isPaused: false, now: after(10)).problem?.code == "not_recorded")
        let late = call.recorded(true, now: after(11))
        #expect(late.head == nil && late.end == nil)
    }

    @Test("a stream's commit that takes over ten seconds is told in the stream, which is then aborted")
    func streamedRecordFails() {
        var call = call(streams: true)
        _ = call.answered(streamHead, now: start)
        #expect(call.received(bytes(finish + Script.done), now: start).record?.state == .recorded)
        let early = call.checkTime(isPaused: false, now: after(9))
        #expect(early.bytes == nil && early.end == nil)
        let failed = call.checkTime(isPaused: false, now: after(10))
        let text = failed.bytes.map { String(buffer: $0) } ?? ""
        #expect(text.hasPrefix("data: {\"error\"") && text.contains("not_recorded") && !text.contains("stop"))
        #expect(failed.end == .abort && failed.drops && failed.problem == nil)
        let late = call.recorded(true, now: after(11))
        #expect(late.bytes == nil && late.end == nil)
    }

    @Test(
        "holding begins when as many choices as were asked for have a finish reason that is not empty",
        arguments: [
            (1, [(0, nil), (0, ""), (0, "stop")]), (1, [(0, "length")]),
            (2, [(0, "stop"), (1, nil), (1, ""), (1, "tool_calls")]), (2, [(1, "stop"), (1, nil), (0, "stop")]),
        ] as [(Int, [(index: Int, finish: String?)])])
    func finishing(choices: Int, events: [(index: Int, finish: String?)]) {
        var call = call(streams: true, choices: choices)
        _ = call.answered(streamHead, now: start)
        for (number, event) in events.enumerated() {
            let text = bytes(Script.event("a", finish: event.finish, index: event.index))
            let passed = call.received(text, now: start).bytes
            #expect(passed == (number == events.count - 1 ? nil : text), "event \(number)")
        }
        #expect(call.phase == .holding(since: start))
    }

    @Test(
        "an upstream that is silent for five seconds after the holding began is complete, and any after thirty in all",
        arguments: [
            (0, [], 5), (100, [], 5), (0, [3], 8), (0, [4, 8], 13), (0, [4, 8, 12, 16, 20, 24, 28], 30),
        ] as [(Int64, [Int64], Int64)])
    func silence(begins: Int64, pings: [Int64], completes: Int64) {
        var call = call(streams: true)
        _ = call.answered(streamHead, now: start)
        #expect(call.received(bytes(Script.event("a")), now: start).bytes == bytes(Script.event("a")))
        #expect(call.received(bytes(finish), now: after(begins)).bytes == nil)
        #expect(call.phase == .holding(since: after(begins)))
        for second in 1..<completes {
            if pings.contains(second) { _ = call.received(bytes(": ping\n\n"), now: after(begins + second)) }
            #expect(call.checkTime(isPaused: false, now: after(begins + second)).record == nil, "\(second)")
        }
        #expect(call.checkTime(isPaused: false, now: after(begins + completes)).record?.state == .recorded)
    }

    private static let usage = "data: {\"choices\":[],\"usage\":{\"prompt_tokens\":1,\"completion_tokens\":2}}"

    @Test("what comes after the release passes, and is added to the record")
    func afterRelease() {
        var call = call(streams: true)
        _ = call.answered(streamHead, now: start)
        _ = call.received(bytes(finish), now: start)
        #expect(call.checkTime(isPaused: false, now: after(5)).record?.state == .recorded)
        let released = call.recorded(true, now: after(5))
        #expect(released.bytes == bytes(finish) && released.end == nil && call.phase == .released)
        let usage = bytes(Self.usage + "\n\n")
        #expect(call.received(usage, now: after(6)).bytes == usage)
        let ended = call.upstreamEnded(now: after(7))
        #expect(ended.amends && ended.end == .clean && call.facts?.usage?.completionTokens == 2)
    }

    enum UpstreamEnd: CaseIterable, Sendable { case whileHeld, whileCommitted, afterRelease }

    @Test(
        "an event without its empty line counts when the upstream ends: while held, while committed, after the release",
        arguments: UpstreamEnd.allCases)
    func leftEvent(end: UpstreamEnd) {
        var call = call(streams: true)
        _ = call.answered(streamHead, now: start)
        _ = call.received(bytes(end == .afterRelease ? finish : finish + Self.usage), now: start)
        if end == .whileHeld {
            #expect(call.upstreamEnded(now: after(1)).record?.state == .recorded)
        } else {
            #expect(call.checkTime(isPaused: false, now: after(5)).record?.state == .recorded)
        }
        let ended: ModelCall.Step
        if end == .afterRelease {
            _ = call.recorded(true, now: after(5))
            #expect(call.received(bytes(Self.usage), now: after(6)).bytes == bytes(Self.usage))
            ended = call.upstreamEnded(now: after(6))
        } else {
            if end == .whileCommitted { _ = call.upstreamEnded(now: after(6)) }
            ended = call.recorded(true, now: after(6))
            #expect(ended.bytes == bytes(finish + Self.usage))
        }
        #expect(ended.end == .clean && call.facts?.usage?.completionTokens == 2)
        #expect(ended.amends == (end != .whileHeld))
    }

    @Test("an event that breaks off after the finish does not spoil the record")
    func brokenEvent() {
        var call = call(streams: true)
        _ = call.answered(streamHead, now: start)
        _ = call.received(bytes(finish + "data: {\"choices\":[],\"usa"), now: start)
        #expect(call.upstreamEnded(now: start).record?.state == .recorded)
        #expect(call.recorded(true, now: start).end == .clean)
    }

    @Test("a stream whose [DONE] is out ends after five more seconds, whatever the upstream does")
    func doneWithoutEnd() {
        var call = call(streams: true)
        _ = call.answered(streamHead, now: start)
        #expect(call.received(bytes(finish + Script.done), now: start).record?.state == .recorded)
        _ = call.recorded(true, now: start)
        #expect(call.checkTime(isPaused: false, now: after(4)).end == nil)
        let step = call.checkTime(isPaused: false, now: after(5))
        #expect(step.end == .clean && step.drops && !step.amends)
    }

    @Test("a client that goes cancels until the holding begins")
    func departures() {
        for phase in 0..<4 {
            var call = call(streams: true)
            if phase > 0 { _ = call.answered(streamHead, now: start) }
            if phase > 1 { _ = call.received(bytes(finish), now: start) }
            if phase > 2 { _ = call.upstreamEnded(now: start) }
            let ended = call.clientLeft(.end, now: start)
            #expect(!ended.drops && ended.record == nil, "a stream goes on when the client ends its side")
            let step = call.clientLeft(.reset, now: start)
            #expect(step.drops == (phase < 2) && (step.record?.state == .cut) == (phase < 2))
            if phase == 2 { #expect(call.upstreamEnded(now: start).record?.state == .recorded) }
            if phase > 1 {
                let last = call.recorded(true, now: start)
                #expect(last.bytes == nil && last.end == nil && call.phase == .ended)
            }
        }
        var unstreamed = call()
        #expect(unstreamed.clientLeft(.end, now: start).drops)
        var tolerant = call(toleratesEnd: true)
        #expect(!tolerant.clientLeft(.end, now: start).drops)
    }

    @Test("an error in the stream instead of an answer is no trace")
    func errorEvent() {
        var call = call(streams: true)
        _ = call.answered(streamHead, now: start)
        let text = "data: {\"error\":{\"message\":\"overloaded\"}}\n\n"
        #expect(call.received(bytes(text), now: start).bytes == bytes(text))
        let step = call.received(bytes(Script.done), now: start)
        #expect(step.record?.state == .failed && step.bytes == bytes(Script.done))
        #expect(call.upstreamEnded(now: start).end == .clean)
    }

    @Test("refusals and unrecorded calls pass as they come")
    func passing() {
        var refused = call()
        #expect(refused.answered(head(500), now: start).head?.status == 500)
        #expect(refused.received(bytes("oh"), now: start).bytes == bytes("oh"))
        let end = refused.upstreamEnded(now: start)
        #expect(end.record?.state == .failed && end.record?.error?.contains("oh") == true && end.end == .clean)
        var plain = call(recorded: false)
        #expect(plain.answered(head(encoding: "br"), now: start).head != nil)
        #expect(plain.upstreamFailed(.upstreamFailed("x"), now: start).end == .abort)
    }

    @Test("time runs out for the first byte, between bytes, and for a client that does not read")
    func timeouts() {
        var waiting = call()
        #expect(waiting.checkTime(isPaused: false, now: after(599)).problem == nil)
        let silent = waiting.checkTime(isPaused: false, now: after(600))
        #expect(silent.problem?.status == 504 && silent.drops && silent.record?.state == .failed)
        var stuck = call()
        _ = stuck.answered(head(), now: start)
        let idle = stuck.checkTime(isPaused: false, now: after(120))
        #expect(idle.problem?.status == 504 && idle.drops && idle.record?.state == .cut)
        var slow = call(streams: true)
        _ = slow.answered(streamHead, now: start)
        let paused = slow.checkTime(isPaused: true, now: after(120))
        #expect(paused.end == .abort && paused.drops && paused.record?.state == .cut)
    }

    @Test("what is larger than the limit is not recorded")
    func tooLarge() {
        var unstreamed = call(maximum: 10)
        _ = unstreamed.answered(head(), now: start)
        let step = unstreamed.received(bytes(Script.completion), now: start)
        #expect(step.problem?.code == "answer_too_large" && step.drops && step.record?.state == .failed)
        var streamed = call(streams: true, maximum: 300)
        _ = streamed.answered(streamHead, now: start)
        _ = streamed.received(bytes(Script.event("a")), now: start)
        let cut = streamed.received(bytes(Script.event(String(repeating: "b", count: 300))), now: start)
        #expect(cut.problem == nil && cut.end == .abort && cut.drops)
        #expect(cut.bytes.map { String(buffer: $0) }?.contains("answer_too_large") == true)
    }
}
