// Part of Rollcall. SPDX-License-Identifier: Apache-2.0

import EvalProtocol
import NIOCore
import TraceStore

/// Takes the model calls of one client's connection, one at a time: their requests, which it may refuse, and their
/// answers.
final class ModelCallHandler {
    enum State {
        case idle
        /// The rest of a request that is refused.
        case refusing(GatewayProblem, bytes: Int)
        case collecting(RequestIntake)
        case calling
        /// The connection is being closed.
        case closing
    }

    let services: LoopServices
    var state = State.idle
    /// `nil` when it is gone.
    var connection: ClientConnection?
    /// This connection's share of ``LoopServices/incomingBytes``.
    private var incomingBytes = 0

    // The present call.
    var call: ModelCall?
    var callContext: CallContext?
    var callNumber = 0
    var reservation: Reservation?
    /// The attempt whose budget counts the call, until that is recorded.
    var charge: (rollout: RolloutKey, attempt: Int)?
    var upstream: UpstreamConnection?
    var waiting: (pool: UpstreamPool, ticket: UpstreamPool.Ticket)?
    var upstreamRequest: ByteBuffer?
    var hasRetried = false
    var recordID: Int64?
    var requestHead: RequestHead?
    var answerHasBegun = false

    init(_ services: LoopServices) { self.services = services }

    // MARK: The request

    func begin(_ head: RequestHead, _ route: CallRoute) {
        guard case .idle = state else { return }
        switch route {
        case .passUp: break
        case .refuse(let problem, let warning):
            if let warning { warn(warning, problem) }
            refuse(problem, head)
        case .call(let accepted):
            let intake = RequestIntake(head, accepted, maximumBytes: services.configuration.maximumBodyBytes)
            guard !intake.isTooLarge else {
                return refuse(.bodyTooLarge(limit: services.configuration.maximumBodyBytes), head)
            }
            state = .collecting(intake)
        }
    }

    func take(_ bytes: ByteBuffer) {
        switch state {
        case .collecting(var intake):
            state = .idle  // so that the body is not copied
            intake.add(bytes)
            let isRoom = hold(intake.body.count)
            if intake.isTooLarge {
                refuseEarly(.bodyTooLarge(limit: services.configuration.maximumBodyBytes))
            } else if !isRoom {
                refuseEarly(.tooManyBodies(limit: services.configuration.maximumIncomingBytes))
            } else {
                state = .collecting(intake)
            }
        case .refusing(let problem, let count):
            let total = count + bytes.readableBytes
            if total > Self.maximumDroppedBytes {
                refuseEarly(problem)
            } else {
                state = .refusing(problem, bytes: total)
            }
        case .idle, .calling, .closing: break
        }
    }

    func requestEnded() {
        switch state {
        case .refusing(let problem, _): answer(problem, requestID: services.nextRequestID())
        case .collecting(let intake):
            state = .idle  // so that nothing else holds the body
            start(intake)
        case .idle, .calling, .closing: break
        }
    }

    /// Takes note of how much of a body is in memory.
    ///
    /// - Returns: whether all bodies together may be that large.
    @discardableResult
    func hold(_ bytes: Int) -> Bool {
        if bytes == incomingBytes { return true }
        defer { incomingBytes = bytes }
        return services.incomingBytes.add(bytes - incomingBytes)
    }

    // MARK: The connection

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

    /// Bytes of a refused request that are read before the connection is closed.
    static let maximumDroppedBytes = 256 << 10
}

@available(*, unavailable)
extension ModelCallHandler: Sendable {}
