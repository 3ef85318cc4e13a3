// Part of Rollcall. SPDX-License-Identifier: Apache-2.0

package import NIOCore

/// Which deadline a connection has at any moment: the state machine behind ``ConnectionGuard``.
package struct ConnectionDeadlines {
    package enum Phase: Equatable {
        /// Between requests.
        case idle(since: NIODeadline)
        /// Bytes of a head have come.
        case head(since: NIODeadline)
        /// The body is coming.
        case body(since: NIODeadline, lastPiece: NIODeadline)
        /// The request is whole; how long its answer may take is not the connection's affair.
        case answering
    }

    package enum Expiry: Equatable {
        /// Nobody is waiting for anything: close without a word.
        case idle
        /// The client is too slow: answer 408.
        case slowHead
        case slowBody
    }

    package private(set) var phase: Phase
    let limits: ConnectionLimits

    package init(limits: ConnectionLimits, now: NIODeadline) {
        self.limits = limits
        phase = .idle(since: now)
    }

    package mutating func bytesReceived(_ now: NIODeadline) {
        if case .idle = phase { phase = .head(since: now) }
    }

    package mutating func headReceived(_ now: NIODeadline) { phase = .body(since: now, lastPiece: now) }

    package mutating func bodyReceived(_ now: NIODeadline) {
        if case .body(let since, _) = phase { phase = .body(since: since, lastPiece: now) }
    }

    package mutating func requestEnded() { phase = .answering }

    package mutating func answerEnded(_ now: NIODeadline) {
        if case .answering = phase { phase = .idle(since: now) }
    }

    /// The next deadline, and what its passing means; `nil` while there is none.
    package var next: (at: NIODeadline, expiry: Expiry)? {
        switch phase {
        case .idle(let since): (since + limits.idle, .idle)
        case .head(let since): (since + limits.head, .slowHead)
        case .body(let since, let lastPiece): (min(since + limits.body, lastPiece + limits.bodyPause), .slowBody)
        case .answering: nil
        }
    }
}
