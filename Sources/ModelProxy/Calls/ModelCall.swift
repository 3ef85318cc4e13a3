// Part of Rollcall. SPDX-License-Identifier: Apache-2.0

package import NIOCore
import NIOHTTP1
package import TraceStore
import WireJSON

/// The life of one call from its request's end on: a value without channel, clock or I/O. Every event returns a
/// ``Step`` that says what is to be done about it.
///
///     waiting ─► passing                          refusals of the upstream, and calls that are not recorded
///             ─► collecting ─► committing         unstreamed: nothing goes out before the commit
///             ─► streaming ─► holding ─► committing ─► released
///
/// Every path ends in `ended`.
package struct ModelCall {
    package struct Plan {
        package var isRecorded: Bool
        /// Whether the client asked for a stream.
        package var streams: Bool
        package var choices: Int
        /// Whether a client may end its side and still wait: HTTP/1.0, or `Connection: close`.
        package var toleratesEnd: Bool
        package var maximumAnswerBytes: Int
        package var timeouts: CallTimeouts

        package init(
            isRecorded: Bool, streams: Bool, choices: Int = 1, toleratesEnd: Bool = false,
            maximumAnswerBytes: Int = 64 << 20, timeouts: CallTimeouts = CallTimeouts()
        ) {
            self.isRecorded = isRecorded
            self.streams = streams
            self.choices = choices
            self.toleratesEnd = toleratesEnd
            self.maximumAnswerBytes = maximumAnswerBytes
            self.timeouts = timeouts
        }
    }

    /// What is to be done, in the order of the members.
    package struct Step {
        /// The record is to be submitted, in this state and with this error.
        package var record: (state: CallRecord.State, error: String?)?
        /// What came after the commit is to be added to the record.
        package var amends = false
        /// Answer with this problem; nothing of an answer has gone out.
        package var problem: GatewayProblem?
        package var head: ResponseHead?
        /// The length of the body, where it is all there.
        package var bodyLength: Int?
        package var bytes: ByteBuffer?
        package var end: End?
        /// The connection to the upstream is to be given up.
        package var drops = false

        package enum End {
            case clean
            /// The connection to the client ends without an end of the answer.
            case abort
        }
    }

    package enum Phase: Equatable {
        case waiting, passing, collecting, streaming
        case holding(since: NIODeadline)
        case committing(since: NIODeadline)
        case released, ended
    }

    package enum Departure {
        /// The client has ended its side of the connection.
        case end
        /// The connection is gone.
        case reset
    }

    package let plan: Plan
    package private(set) var phase = Phase.waiting
    package private(set) var head: ResponseHead?
    /// The answer as it came, or the beginning of a refusal.
    package private(set) var collected: [UInt8] = []
    package private(set) var stream: StreamReading?
    package private(set) var facts: AnswerFacts?
    /// The completion to be recorded.
    package private(set) var completion: [UInt8] = []
    package private(set) var firstByteAt: NIODeadline?
    private var encoding = Inflater.Encoding.identity
    private var held = ByteBuffer()
    private var lastByteAt: NIODeadline
    private var upstreamHasEnded = false
    private var clientIsGone = false
    private var hasMore = false

    /// Bytes of a refusal that are kept.
    private static let maximumRefusalBytes = 4096

    package init(_ plan: Plan, now: NIODeadline) {
        self.plan = plan
        lastByteAt = now
    }

    /// Whether what the upstream sends goes straight to the client, so that a slow one slows the upstream down.
    package var isRelaying: Bool {
        switch phase {
        case .passing, .streaming, .released: true
        default: false
        }
    }

    // MARK: The upstream

    package mutating func answered(_ head: ResponseHead, now: NIODeadline) -> Step {
        guard phase == .waiting else { return Step() }
        self.head = head
        lastByteAt = now
        guard plan.isRecorded, head.status == 200 else {
            phase = .passing
            return Step(head: head)
        }
        encoding = Inflater.Encoding(head.headers.first(name: "content-encoding"))
        if case .other(let name) = encoding {
            phase = .ended
            let problem = GatewayProblem.unknownEncoding(name)
            return Step(record: (.failed, problem.message), problem: problem, drops: true)
        }
        guard plan.streams, Self.isEventStream(head) else {
            phase = .collecting
            return Step()
        }
        phase = .streaming
        stream = StreamReading(choices: plan.choices, maximumBytes: plan.maximumAnswerBytes, encoding: encoding)
        return Step(head: head)
    }

    package mutating func received(_ bytes: ByteBuffer, now: NIODeadline) -> Step {
        lastByteAt = now
        if firstByteAt == nil { firstByteAt = now }
        switch phase {
        case .passing:
            if plan.isRecorded, collected.count < Self.maximumRefusalBytes {
                collected += bytes.readableBytesView.prefix(Self.maximumRefusalBytes - collected.count)
            }
            return Step(bytes: bytes)
        case .collecting:
            guard collected.count + bytes.readableBytes <= plan.maximumAnswerBytes else { return tooLarge() }
            collected += bytes.readableBytesView
            return Step()
        case .streaming, .holding, .committing, .released: return read(bytes, now: now)
        case .waiting, .ended: return Step()
        }
    }

    /// The answer is whole.
    package mutating func upstreamEnded(now: NIODeadline) -> Step {
        upstreamHasEnded = true
        switch phase {
        case .passing:
            phase = .ended
            return Step(record: plan.isRecorded ? (.failed, refusal) : nil, end: .clean)
        case .collecting: return collectedAll(now: now)
        case .streaming:
            let rest = stream?.finish() ?? .init()
            guard stream?.isHolding == true else {
                return cut("the upstream ended the stream before its choices finished", rest.passes)
            }
            held = rest.holds
            return completed(passing: rest.passes, now: now)
        case .holding:
            _ = stream?.finish()
            return completed(now: now)
        case .committing:
            _ = stream?.finish()
            return Step()
        case .released: return finished()
        case .waiting, .ended: return Step()
        }
    }

    /// The upstream, or the way to it, has failed; `problem` is the answer where none has begun.
    package mutating func upstreamFailed(_ problem: GatewayProblem, now: NIODeadline) -> Step {
        upstreamHasEnded = true
        switch phase {
        case .waiting:
            phase = .ended
            return Step(record: record(.failed, problem.message), problem: problem)
        case .collecting:
            phase = .ended
            return Step(record: (.cut, problem.message), problem: problem)
        case .passing:
            phase = .ended
            return Step(record: plan.isRecorded ? (.failed, refusal) : nil, end: .abort)
        case .streaming: return cut(problem.message, ByteBuffer(), event: problem)
        case .holding: return completed(now: now)
        case .committing: return Step()
        case .released: return finished()
        case .ended: return Step()
        }
    }

    // MARK: Record, client, time

    /// The record that was asked for has been committed, or not.
    package mutating func recorded(_ isRecorded: Bool, now: NIODeadline) -> Step {
        guard case .committing = phase else { return Step() }
        if clientIsGone {
            phase = .ended
            return Step(amends: isRecorded && hasMore, drops: !upstreamHasEnded)
        }
        guard stream != nil else {
            phase = .ended
            guard isRecorded else { return Step(problem: .notRecorded) }
            return Step(head: head, bodyLength: collected.count, bytes: ByteBuffer(bytes: collected), end: .clean)
        }
        guard isRecorded else {
            phase = .ended
            return Step(bytes: errorEvent(.notRecorded), end: .abort, drops: !upstreamHasEnded)
        }
        var step = upstreamHasEnded ? finished() : Step()
        if !upstreamHasEnded { phase = .released }
        step.bytes = held
        held = ByteBuffer()
        lastByteAt = now
        return step
    }

    package mutating func clientLeft(_ departure: Departure, now: NIODeadline) -> Step {
        if departure == .end, plan.streams || plan.toleratesEnd { return Step() }
        switch phase {
        case .waiting, .collecting, .streaming, .passing:
            phase = .ended
            return Step(
                record: record(.cut, "the client closed the connection before the answer was whole"), drops: true)
        case .holding, .committing:
            // The answer is worth recording, whoever still waits for it.
            clientIsGone = true
            return Step()
        case .released:
            var step = finished()
            step.end = nil
            step.drops = true
            return step
        case .ended: return Step()
        }
    }

    /// What the clock says. `isPaused`: the client does not take what is there for it.
    package mutating func checkTime(isPaused: Bool, now: NIODeadline) -> Step {
        let times = plan.timeouts
        switch phase {
        case .waiting:
            guard now - lastByteAt >= times.firstByte else { return Step() }
            var step = upstreamFailed(Self.silent(times.firstByte), now: now)
            step.drops = true
            return step
        case .passing, .collecting, .streaming:
            guard now - lastByteAt >= times.idle else { return Step() }
            if isPaused {
                var step = clientLeft(.reset, now: now)
                step.end = .abort
                return step
            }
            var step = upstreamFailed(Self.silent(times.idle), now: now)
            step.drops = true
            return step
        case .holding(let since):
            guard now - lastByteAt >= times.silence || now - since >= times.hold else { return Step() }
            return completed(now: now)
        case .committing(let since):
            return now - since >= times.commit ? recorded(false, now: now) : Step()
        case .released:
            guard now - lastByteAt >= (stream?.isDone == true && !isPaused ? times.silence : times.idle) else {
                return Step()
            }
            var step = finished()
            step.drops = true
            return step
        case .ended: return Step()
        }
    }

    // MARK: Parts of the above

    private mutating func read(_ bytes: ByteBuffer, now: NIODeadline) -> Step {
        guard var reading = stream else { return Step() }
        // Not kept in two places, or every event would copy what has been assembled.
        stream = nil
        let portion: StreamReading.Portion
        do {
            portion = try reading.read(bytes)
        } catch {
            stream = reading
            return tooLarge()
        }
        stream = reading
        if phase == .released {
            hasMore = true
            return Step(bytes: bytes)
        }
        var step = Step()
        if portion.passes.readableBytes > 0 { step.bytes = portion.passes }
        if held.readableBytes == 0 {
            // A copy, since a slice would hold the whole read buffer for as long as the commit takes.
            held = ByteBuffer(bytes: portion.holds.readableBytesView)
        } else {
            held.writeImmutableBuffer(portion.holds)
        }
        switch phase {
        case .streaming where reading.isHolding:
            phase = .holding(since: now)
            return reading.isDone ? completed(passing: portion.passes, now: now) : step
        case .holding where reading.isDone: return completed(now: now)
        case .committing:
            hasMore = true
            return step
        default: return step
        }
    }

    private mutating func collectedAll(now: NIODeadline) -> Step {
        do {
            completion = try inflated()
            facts = try AnswerFacts(completion)
        } catch {
            phase = .ended
            return Step(
                record: (.failed, error.sentence), head: head, bodyLength: collected.count,
                bytes: ByteBuffer(bytes: collected), end: .clean)
        }
        phase = .committing(since: now)
        return Step(record: (.recorded, nil))
    }

    private func inflated() throws(AnswerFacts.Unusable) -> [UInt8] {
        if case .identity = encoding { return collected }
        do throws(Inflater.Failure) {
            let inflater = Inflater(maximumBytes: plan.maximumAnswerBytes)
            return try inflater.inflate(ByteBuffer(bytes: collected).readableBytesView)
        } catch {
            throw AnswerFacts.Unusable(sentence: "the upstream's answer cannot be inflated: \(error.sentence)")
        }
    }

    /// The stream is complete, and what is held waits for the record, unless there is nothing to record.
    private mutating func completed(passing bytes: ByteBuffer = ByteBuffer(), now: NIODeadline) -> Step {
        var step = Step()
        if bytes.readableBytes > 0 { step.bytes = bytes }
        do {
            try assemble()
        } catch {
            step.record = (.failed, error.sentence)
            if clientIsGone {
                phase = .ended
                step.drops = !upstreamHasEnded
                return step
            }
            var all = bytes
            all.writeBuffer(&held)
            held = ByteBuffer()
            step.bytes = all
            phase = upstreamHasEnded ? .ended : .released
            if upstreamHasEnded { step.end = .clean }
            return step
        }
        phase = .committing(since: now)
        step.record = (.recorded, nil)
        return step
    }

    private mutating func assemble() throws(AnswerFacts.Unusable) {
        if let fault = stream?.fault { throw AnswerFacts.Unusable(sentence: fault) }
        guard let stream, let whole = stream.completion else {
            throw AnswerFacts.Unusable(sentence: "the upstream's stream has no choice in it")
        }
        if !stream.hasFinished, let error = whole["error"], error != .null {
            throw AnswerFacts.Unusable(sentence: "the upstream's stream ended in an error")
        }
        completion = whole.serialized()
        facts = try AnswerFacts(completion)
    }

    /// A released stream has come to its end.
    private mutating func finished() -> Step {
        phase = .ended
        var step = Step(end: .clean)
        if hasMore, facts != nil, (try? assemble()) != nil { step.amends = true }
        return step
    }

    private mutating func cut(_ error: String, _ rest: ByteBuffer, event: GatewayProblem? = nil) -> Step {
        phase = .ended
        assembleWhatThereIs()
        return Step(record: (.cut, error), bytes: errorEvent(event ?? .upstreamFailed(error)), end: .abort)
    }

    /// Of a stream that was cut short, its record shows what had come.
    private mutating func assembleWhatThereIs() {
        if let whole = stream?.completion { completion = whole.serialized() }
    }

    private mutating func tooLarge() -> Step {
        let problem = GatewayProblem.answerTooLarge(limit: plan.maximumAnswerBytes)
        let hadStarted = phase != .collecting
        let wasReleased = phase == .released
        phase = .ended
        guard hadStarted else { return Step(record: (.failed, problem.message), problem: problem, drops: true) }
        return Step(
            record: wasReleased ? nil : (.failed, problem.message), bytes: errorEvent(problem), end: .abort, drops: true
        )
    }

    /// An error within a stream. Compressed, there is no place for it, and the abort must do.
    private func errorEvent(_ problem: GatewayProblem) -> ByteBuffer? {
        if case .identity = encoding { ByteBuffer(bytes: problem.event) } else { nil }
    }

    private func record(_ state: CallRecord.State, _ error: String) -> (state: CallRecord.State, error: String?)? {
        plan.isRecorded ? (state, error) : nil
    }

    private var refusal: String {
        "the upstream answered \(head?.status ?? 0): " + String(decoding: collected, as: UTF8.self)
    }

    private static func isEventStream(_ head: ResponseHead) -> Bool {
        head.headers.first(name: "content-type")?.lowercased().hasPrefix("text/event-stream") ?? false
    }

    private static func silent(_ time: TimeAmount) -> GatewayProblem {
        .upstreamSilent(seconds: time.nanoseconds / 1_000_000_000)
    }
}
