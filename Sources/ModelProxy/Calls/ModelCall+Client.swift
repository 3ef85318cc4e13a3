// Part of Rollcall. SPDX-License-Identifier: Apache-2.0

package import NIOCore
import TraceStore

/// What comes from elsewhere than the upstream: the record's fate, the client's departure, the clock.
extension ModelCall {
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
}
