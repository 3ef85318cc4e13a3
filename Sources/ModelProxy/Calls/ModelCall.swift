// Part of Rollcall. SPDX-License-Identifier: Apache-2.0

package import NIOCore
package import TraceStore

/// The life of one call from its request's end on: a value without channel, clock or I/O. Every event returns a
/// ``Step`` that says what is to be done about it.
///
///     waiting ─► passing                          refusals of the upstream, and calls that are not recorded
///             ─► collecting ─► committing         unstreamed: nothing goes out before the commit
///             ─► streaming ─► holding ─► committing ─► released
///
/// Every path ends in `ended`.
package struct ModelCall {
    package let plan: Plan
    package internal(set) var phase = Phase.waiting
    package internal(set) var head: ResponseHead?
    /// The answer as it came, or the beginning of a refusal.
    package internal(set) var collected: [UInt8] = []
    package internal(set) var stream: StreamReading?
    package internal(set) var facts: AnswerFacts?
    /// The completion to be recorded.
    package internal(set) var completion: [UInt8] = []
    /// What was captured besides it.
    package internal(set) var captured = CapturedTokens()
    package internal(set) var firstByteAt: NIODeadline?
    var encoding = Inflater.Encoding.identity
    var held = ByteBuffer()
    var lastByteAt: NIODeadline
    var upstreamHasEnded = false
    var clientIsGone = false
    var hasMore = false

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

    /// Bytes of the answer that are kept for the record.
    package var keptBytes: Int { stream?.total ?? collected.count }

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
        stream = StreamReading(
            choices: plan.choices, maximumBytes: plan.maximumAnswerBytes, encoding: encoding, capture: plan.capture)
        if plan.capture != nil {
            giveUpEncoding()
            if case .length = head.length { self.head?.length = .chunked }
        }
        return Step(head: self.head)
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
            holdRest()
            return completed(now: now)
        case .committing:
            holdRest()
            if stream?.endedWithinEvent == true { hasMore = true }
            return Step()
        case .released:
            let rest = stream?.finish().holds
            if stream?.endedWithinEvent == true { hasMore = true }
            var step = finished()
            // Without a capture it has passed already.
            if plan.capture != nil { step.bytes = rest }
            return step
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

    /// There is no memory for what the upstream sends.
    package mutating func lacksRoom() -> Step {
        switch phase {
        case .collecting, .streaming, .holding: refuseAnswer(.notRecorded)
        default: Step()
        }
    }

    // MARK: Parts of the above

    mutating func collectedAll(now: NIODeadline) -> Step {
        do {
            completion = try inflated()
            var capture = plan.capture.map { TokenCapture($0) }
            // What is no JSON goes on as it came, and is told of below.
            if case .changed(let rest)? = try? capture?.take(completion, isChunk: false) {
                completion = rest
                collected = rest
                giveUpEncoding()
            }
            let facts = try AnswerFacts(completion)
            self.facts = facts
            if let capture {
                captured = capture.result(usage: facts.usage)
                completion = capture.withoutExperts(completion)
            }
        } catch {
            phase = .ended
            return Step(
                record: (.failed, error.sentence), head: head, bodyLength: collected.count,
                bytes: ByteBuffer(bytes: collected), end: .clean)
        }
        phase = .committing(since: now)
        return Step(record: (.recorded, nil))
    }

    /// The answer goes on without compression: something is taken out of it.
    private mutating func giveUpEncoding() {
        if case .identity = encoding { return }
        encoding = .identity
        head?.headers.remove(name: "content-encoding")
    }

    /// The last bytes of a stream whose upstream has ended it.
    private mutating func holdRest() {
        if let rest = stream?.finish().holds { held.writeImmutableBuffer(rest) }
    }

    func inflated() throws(AnswerFacts.Unusable) -> [UInt8] {
        if case .identity = encoding { return collected }
        do throws(Inflater.Failure) {
            let inflater = Inflater(maximumBytes: plan.maximumAnswerBytes)
            return try inflater.inflate(ByteBuffer(bytes: collected).readableBytesView)
        } catch {
            throw AnswerFacts.Unusable(sentence: "the upstream's answer cannot be inflated: \(error.sentence)")
        }
    }

    mutating func tooLarge() -> Step { refuseAnswer(.answerTooLarge(limit: plan.maximumAnswerBytes)) }

    private mutating func refuseAnswer(_ problem: GatewayProblem) -> Step {
        let hadStarted = phase != .collecting
        let wasReleased = phase == .released
        phase = .ended
        guard hadStarted else { return Step(record: (.failed, problem.message), problem: problem, drops: true) }
        return Step(
            record: wasReleased ? nil : (.failed, problem.message), bytes: errorEvent(problem), end: .abort, drops: true
        )
    }

    /// An error within a stream. Compressed, there is no place for it, and the abort must do.
    func errorEvent(_ problem: GatewayProblem) -> ByteBuffer? {
        if case .identity = encoding { ByteBuffer(bytes: problem.event) } else { nil }
    }

    func record(_ state: CallRecord.State, _ error: String) -> (state: CallRecord.State, error: String?)? {
        plan.isRecorded ? (state, error) : nil
    }

    var refusal: String {
        "the upstream answered \(head?.status ?? 0): " + String(decoding: collected, as: UTF8.self)
    }

    static func isEventStream(_ head: ResponseHead) -> Bool {
        head.headers.first(name: "content-type")?.lowercased().hasPrefix("text/event-stream") ?? false
    }

    static func silent(_ time: TimeAmount) -> GatewayProblem {
        .upstreamSilent(seconds: time.nanoseconds / 1_000_000_000)
    }
}
