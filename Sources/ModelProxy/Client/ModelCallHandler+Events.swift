// Part of Rollcall. SPDX-License-Identifier: Apache-2.0

import NIOCore

/// What the client's connection and the clock bring.
extension ModelCallHandler {
    /// The client has ended its side.
    func inputEnded() {
        guard case .calling = state else { return close() }
        guard let step = call?.clientLeft(.end, now: .now()) else { return }
        perform(step)
        if call == nil { close() }
    }

    func connectionLost() {
        if case .calling = state, let step = call?.clientLeft(.reset, now: .now()) { perform(step) }
        if call == nil { services.stopTiming(self) }
        state = .closing
        hold(0)
    }

    /// The client takes again what is written for it.
    func clientReads() { upstream?.resume() }

    /// Asked ten times a second while there is a call.
    func checkTime(_ now: NIODeadline) {
        checkWaiting(now)
        guard let isRelaying = call?.isRelaying else { return }
        let isPaused = isRelaying && connection?.isWritable == false
        if let step = call?.checkTime(isPaused: isPaused, now: now) { performAndFlush(step) }
    }

    /// The call has waited too long for a connection to be free.
    func checkWaiting(_ now: NIODeadline) {
        guard let waiting, let callContext, now - callContext.start >= services.configuration.timeouts.queue else {
            return
        }
        waiting.pool.cancel(waiting.ticket)
        upstreamUnavailable(.noConnection(to: callContext.target.origin))
    }
}
