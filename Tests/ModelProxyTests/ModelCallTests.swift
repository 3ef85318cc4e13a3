// Part of Rollcall. SPDX-License-Identifier: Apache-2.0

import EvalProtocol
import ModelProxy
import NIOCore
import NIOHTTP1
import Testing
import TraceStore

@Suite("ModelProxy: the life of a call")
struct ModelCallTests {
    private let start = NIODeadline.uptimeNanoseconds(1_000_000_000_000)

    private func call(
        streams: Bool = false, recorded: Bool = true, toleratesEnd: Bool = false, maximum: Int = 1 << 20
    ) -> ModelCall {
        ModelCall(
            .init(isRecorded: recorded, streams: streams, toleratesEnd: toleratesEnd, maximumAnswerBytes: maximum),
            now: start)
    }

    private func head(_ status: Int = 200, type: String = "application/json", encoding: String? = nil) -> ResponseHead {
        var headers: HTTPHeaders = ["content-type": type]
        if let encoding { headers.add(name: "content-encoding", value: encoding) }
        return ResponseHead(status: status, reason: "", headers: headers, framing: .chunked, keepsAlive: true)
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

    @Test("a record that failed becomes a problem, and one that comes too late changes nothing")
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

    @Test("five seconds of silence after the finish complete a stream, and thirty in any case")
    func silence() {
        var call = call(streams: true)
        _ = call.answered(streamHead, now: start)
        #expect(call.received(bytes(Script.event("a")), now: start).bytes == bytes(Script.event("a")))
        #expect(call.received(bytes(finish), now: start).bytes == nil)
        #expect(call.phase == .holding(since: start))
        #expect(call.checkTime(isPaused: false, now: after(4)).record == nil)
        for second in stride(from: Int64(4), to: 30, by: 4) {
            _ = call.received(bytes(": ping\n\n"), now: after(second))
            #expect(call.checkTime(isPaused: false, now: after(second + 1)).record == nil)
        }
        #expect(call.checkTime(isPaused: false, now: after(30)).record?.state == .recorded)
        let released = call.recorded(true, now: after(30))
        #expect(released.bytes.map { String(buffer: $0) }?.hasPrefix(finish) == true && released.end == nil)
        #expect(call.phase == .released)
        // What comes later passes, and is added to the record.
        let usage = "data: {\"choices\":[],\"usage\":{\"prompt_tokens\":1,\"completion_tokens\":2}}\n\n"
        #expect(call.received(bytes(usage), now: after(31)).bytes == bytes(usage))
        let ended = call.upstreamEnded(now: after(31))
        #expect(ended.amends && ended.end == .clean && call.facts?.usage?.completionTokens == 2)
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
