// Part of Rollcall. SPDX-License-Identifier: Apache-2.0

import NIOCore
import TraceStore
import WireJSON

/// A stream on its way, its end, and what it adds up to.
extension ModelCall {
    mutating func read(_ bytes: ByteBuffer, now: NIODeadline) -> Step {
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
            return Step(bytes: plan.capture == nil ? bytes : portion.holds)
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

    /// The stream is complete, and what is held waits for the record, unless there is nothing to record.
    mutating func completed(passing bytes: ByteBuffer = ByteBuffer(), now: NIODeadline) -> Step {
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

    mutating func assemble() throws(AnswerFacts.Unusable) {
        if let fault = stream?.fault { throw AnswerFacts.Unusable(sentence: fault) }
        guard let stream, let whole = stream.completion else {
            throw AnswerFacts.Unusable(sentence: "the upstream's stream has no choice in it")
        }
        if !stream.hasFinished, let error = whole["error"], error != .null {
            throw AnswerFacts.Unusable(sentence: "the upstream's stream ended in an error")
        }
        completion = whole.serialized()
        let facts = try AnswerFacts(completion)
        self.facts = facts
        if plan.capture != nil { captured = stream.captured(facts.usage) }
    }

    /// A released stream has come to its end.
    mutating func finished() -> Step {
        phase = .ended
        var step = Step(end: .clean)
        if hasMore, facts != nil, (try? assemble()) != nil { step.amends = true }
        return step
    }

    mutating func cut(_ error: String, _ rest: ByteBuffer, event: GatewayProblem? = nil) -> Step {
        phase = .ended
        assembleWhatThereIs()
        return Step(record: (.cut, error), bytes: errorEvent(event ?? .upstreamFailed(error)), end: .abort)
    }

    /// Of a stream that was cut short, its record shows what had come.
    mutating func assembleWhatThereIs() {
        if let whole = stream?.completion { completion = whole.serialized() }
    }
}
