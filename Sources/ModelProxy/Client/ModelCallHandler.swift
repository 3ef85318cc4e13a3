// Part of Rollcall. SPDX-License-Identifier: Apache-2.0

import EvalProtocol
import Logging
import NIOCore
import NIOHTTP1
import TraceStore

/// Takes the model calls of one client connection; every other request goes up to the next handler untouched.
///
/// Stands behind `HTTPServerPipelineHandler`, which lets one request in at a time. That one delivers the next request
/// from within the write of an answer's `.end`, so the state is always set before that write. Between the two stands
/// ``ConnectionGuard``, which knows when the connection is to end.
final class ModelCallHandler: ChannelInboundHandler {
    typealias InboundIn = HTTPServerRequestPart
    typealias InboundOut = HTTPServerRequestPart
    typealias OutboundOut = HTTPServerResponsePart

    enum State {
        case idle
        /// A request of the router's, which it may have answered meanwhile.
        case passingUp
        /// The rest of a request that is refused.
        case refusing(GatewayProblem, bytes: Int)
        case collecting(RequestIntake)
        case calling
        /// The connection is being closed.
        case closing
    }

    let services: LoopServices
    var state = State.idle
    var context: ChannelHandlerContext?
    /// Whether something has gone up since the last end of a read; the handlers above need not hear of others.
    private var hasPassedUp = false
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
    var requestHead: HTTPRequestHead?
    var answerHasBegun = false

    init(_ services: LoopServices) { self.services = services }

    func handlerAdded(context: ChannelHandlerContext) { self.context = context }

    func handlerRemoved(context: ChannelHandlerContext) { self.context = nil }

    // MARK: Reading

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        switch Self.unwrapInboundIn(data) {
        case .head(let head): begin(context, head, data)
        case .body(let bytes): take(context, bytes, data)
        case .end: end(context, data)
        }
    }

    private func begin(_ context: ChannelHandlerContext, _ head: HTTPRequestHead, _ data: NIOAny) {
        switch state {
        case .idle, .passingUp: break
        case .refusing, .collecting, .calling, .closing: return
        }
        switch CallRoute(head, services.configuration, &services.addresses) {
        case .passUp:
            state = .passingUp
            passUp(context, data)
        case .refuse(let problem, let warning):
            if let warning { warn(warning, problem) }
            refuse(context, problem, head)
        case .call(let accepted):
            let intake = RequestIntake(head, accepted, maximumBytes: services.configuration.maximumBodyBytes)
            guard !intake.isTooLarge else {
                refuse(context, .bodyTooLarge(limit: services.configuration.maximumBodyBytes), head)
                return
            }
            state = .collecting(intake)
        }
    }

    private func take(_ context: ChannelHandlerContext, _ bytes: ByteBuffer, _ data: NIOAny) {
        switch state {
        case .passingUp: passUp(context, data)
        case .collecting(var intake):
            state = .idle  // so that the body is not copied
            intake.add(bytes)
            let isRoom = hold(intake.body.count)
            if intake.isTooLarge {
                refuseEarly(context, .bodyTooLarge(limit: services.configuration.maximumBodyBytes))
            } else if !isRoom {
                refuseEarly(context, .tooManyBodies(limit: services.configuration.maximumIncomingBytes))
            } else {
                state = .collecting(intake)
            }
        case .refusing(let problem, let count):
            let total = count + bytes.readableBytes
            if total > Self.maximumDroppedBytes {
                refuseEarly(context, problem)
            } else {
                state = .refusing(problem, bytes: total)
            }
        case .idle, .calling, .closing: break
        }
    }

    private func end(_ context: ChannelHandlerContext, _ data: NIOAny) {
        switch state {
        case .passingUp: passUp(context, data)
        case .refusing(let problem, _): answer(context, problem, requestID: services.nextRequestID())
        case .collecting(let intake): start(context, intake)
        case .idle, .calling, .closing: break
        }
    }

    /// Takes note of how much of a body is in memory.
    ///
    /// - Returns: whether all bodies together may be that large.
    @discardableResult
    func hold(_ bytes: Int) -> Bool {
        defer { incomingBytes = bytes }
        return services.incomingBytes.add(bytes - incomingBytes)
    }

    private func passUp(_ context: ChannelHandlerContext, _ data: NIOAny) {
        hasPassedUp = true
        context.fireChannelRead(data)
    }

    func channelReadComplete(context: ChannelHandlerContext) {
        guard hasPassedUp else { return }
        hasPassedUp = false
        context.fireChannelReadComplete()
    }

    // MARK: Events

    func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
        guard let event = event as? ChannelEvent, event == .inputClosed else {
            context.fireUserInboundEventTriggered(event)
            return
        }
        switch state {
        case .calling:
            guard let step = call?.clientLeft(.end, now: .now()) else { return }
            perform(step)
            if call == nil { close(context) }
        case .collecting, .refusing: close(context)
        case .idle, .passingUp, .closing: context.fireUserInboundEventTriggered(event)
        }
    }

    func channelInactive(context: ChannelHandlerContext) {
        if case .calling = state, let step = call?.clientLeft(.reset, now: .now()) {
            perform(step)
        }
        if call == nil { services.stopTiming(self) }
        state = .closing
        hold(0)
        context.fireChannelInactive()
    }

    func channelWritabilityChanged(context: ChannelHandlerContext) {
        if context.channel.isWritable { upstream?.resume() }
        context.fireChannelWritabilityChanged()
    }

    /// Asked ten times a second while there is a call.
    func checkTime(_ now: NIODeadline) {
        checkWaiting(now)
        guard let isRelaying = call?.isRelaying else { return }
        let isPaused = isRelaying && context?.channel.isWritable == false
        if let step = call?.checkTime(isPaused: isPaused, now: now) { performAndFlush(step) }
    }

    /// Bytes of a refused request that are read before the connection is closed.
    static let maximumDroppedBytes = 256 << 10
}

@available(*, unavailable)
extension ModelCallHandler: Sendable {}
