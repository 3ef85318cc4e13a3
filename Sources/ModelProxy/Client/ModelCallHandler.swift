// Part of Rollcall. SPDX-License-Identifier: Apache-2.0

import EvalProtocol
import Logging
package import NIOCore
package import NIOHTTP1
import TraceStore

/// Takes the model calls of one client connection; every other request goes up to the next handler untouched.
///
/// Stands behind `HTTPServerPipelineHandler`, which lets one request in at a time. That one delivers the next request
/// from within the write of an answer's `.end`, so the state is always set before that write.
package final class ModelCallHandler: ChannelDuplexHandler {
    package typealias InboundIn = HTTPServerRequestPart
    package typealias InboundOut = HTTPServerRequestPart
    package typealias OutboundIn = HTTPServerResponsePart
    package typealias OutboundOut = HTTPServerResponsePart

    enum State {
        case idle
        /// A request of the router's.
        case passingUp(RouterRequest)
        /// The rest of a request that is refused.
        case refusing(GatewayProblem, HTTPRequestHead, bytes: Int)
        case collecting(RequestIntake)
        case calling
        /// Refused early: what still comes is read and dropped, so that no reset eats the answer.
        case draining(bytes: Int, until: NIODeadline)
        /// The connection is being closed.
        case closing
    }

    let services: LoopServices
    var state = State.idle
    var context: ChannelHandlerContext?
    /// Whether something has gone up since the last end of a read; the handlers above need not hear of others.
    private var hasPassedUp = false
    /// Whether the client has ended its side, which the next handlers are not told while a call runs.
    var inputIsClosed = false

    /// This connection's share of ``LoopServices/incomingBytes``.
    var incomingBytes = 0 {
        didSet { services.incomingBytes += incomingBytes - oldValue }
    }

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

    package func handlerAdded(context: ChannelHandlerContext) { self.context = context }

    package func handlerRemoved(context: ChannelHandlerContext) { self.context = nil }

    // MARK: Reading

    package func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        switch Self.unwrapInboundIn(data) {
        case .head(let head): begin(context, head, data)
        case .body(let bytes): take(context, bytes, data)
        case .end: end(context, data)
        }
    }

    private func begin(_ context: ChannelHandlerContext, _ head: HTTPRequestHead, _ data: NIOAny) {
        guard case .idle = state else { return }
        switch CallRoute(head, services.configuration, &services.addresses) {
        case .passUp:
            state = .passingUp(RouterRequest(head))
            if head.expectsContinue { sayContinue(context) }
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
            if head.expectsContinue { sayContinue(context) }
        }
    }

    private func take(_ context: ChannelHandlerContext, _ bytes: ByteBuffer, _ data: NIOAny) {
        switch state {
        case .passingUp: passUp(context, data)
        case .collecting(var intake):
            state = .idle  // so that the body is not copied
            intake.add(bytes)
            incomingBytes = intake.body.count
            if intake.isTooLarge {
                refuseEarly(context, .bodyTooLarge(limit: services.configuration.maximumBodyBytes), intake.head)
            } else if services.incomingBytes > services.configuration.maximumIncomingBytes {
                refuseEarly(context, .tooManyBodies, intake.head)
            } else {
                state = .collecting(intake)
            }
        case .refusing(let problem, let head, let count):
            let total = count + bytes.readableBytes
            if total > Self.maximumDroppedBytes {
                refuseEarly(context, problem, head)
            } else {
                state = .refusing(problem, head, bytes: total)
            }
        case .draining(let count, let deadline):
            let total = count + bytes.readableBytes
            state = .draining(bytes: total, until: deadline)
            if total > Self.maximumDroppedBytes { close(context) }
        case .idle, .calling, .closing: break
        }
    }

    private func end(_ context: ChannelHandlerContext, _ data: NIOAny) {
        switch state {
        case .passingUp(var request):
            request.hasEnded = true
            state = request.isAnswered ? .idle : .passingUp(request)
            passUp(context, data)
        case .refusing(let problem, let head, _): answer(context, problem, head, requestID: services.nextRequestID())
        case .collecting(let intake): start(context, intake)
        case .draining: close(context)
        case .idle, .calling, .closing: break
        }
    }

    private func passUp(_ context: ChannelHandlerContext, _ data: NIOAny) {
        hasPassedUp = true
        context.fireChannelRead(data)
    }

    package func channelReadComplete(context: ChannelHandlerContext) {
        guard hasPassedUp else { return }
        hasPassedUp = false
        context.fireChannelReadComplete()
    }

    // MARK: Events

    package func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
        guard let event = event as? ChannelEvent, event == .inputClosed else {
            context.fireUserInboundEventTriggered(event)
            return
        }
        switch state {
        case .calling:
            inputIsClosed = true
            guard let step = call?.clientLeft(.end, now: .now()) else { return }
            perform(step)
            if call == nil { close(context) }
        case .collecting, .refusing, .draining: close(context)
        case .idle, .passingUp, .closing: context.fireUserInboundEventTriggered(event)
        }
    }

    package func channelInactive(context: ChannelHandlerContext) {
        if case .calling = state, let step = call?.clientLeft(.reset, now: .now()) {
            perform(step)
        }
        if call == nil { services.stopTiming(self) }
        state = .closing
        incomingBytes = 0
        context.fireChannelInactive()
    }

    package func channelWritabilityChanged(context: ChannelHandlerContext) {
        if context.channel.isWritable { upstream?.resume() }
        context.fireChannelWritabilityChanged()
    }

    package func errorCaught(context: ChannelHandlerContext, error: any Error) {
        guard let error = error as? HTTPParserError else {
            context.fireErrorCaught(error)
            return
        }
        let problem =
            error == .headerOverflow
            ? GatewayProblem(
                status: 431, "The request's head is too large.", type: "invalid_request_error", code: "head_too_large")
            : GatewayProblem.badRequest("The request is not HTTP/1.1 (\(error)).", code: "invalid_http")
        switch state {
        case .passingUp(let request) where request.hasBegunAnswer: close(context)
        case .idle, .passingUp, .collecting, .refusing: answerAndClose(context, problem)
        case .calling, .draining, .closing: close(context)
        }
    }

    // MARK: Writing

    /// Answers of the router's, which know nothing of HTTP/1.0 and of `Connection: Close` in other letters.
    package func write(context: ChannelHandlerContext, data: NIOAny, promise: EventLoopPromise<Void>?) {
        guard case .passingUp(var request) = state else {
            if case .closing = state {
                promise?.fail(ChannelError.ioOnClosedChannel)
            } else {
                context.write(data, promise: promise)
            }
            return
        }
        switch Self.unwrapOutboundIn(data) {
        case .head(var head):
            if head.status.code >= 200 { request.hasBegunAnswer = true }
            state = .passingUp(request)
            guard request.closesAfterwards else {
                context.write(data, promise: promise)
                return
            }
            if request.isHTTP10 {
                head.version = .http1_0
                head.headers.remove(name: "transfer-encoding")
            }
            head.headers.replaceOrAdd(name: "connection", value: "close")
            context.write(Self.wrapOutboundOut(.head(head)), promise: promise)
        case .body: context.write(data, promise: promise)
        case .end:
            request.isAnswered = true
            if request.closesAfterwards {
                state = .closing
                let bound = NIOLoopBound(context, eventLoop: context.eventLoop)
                context.write(data).whenComplete { result in
                    promise?.completeWith(result)
                    bound.value.close(promise: nil)
                }
            } else {
                state = request.hasEnded ? .idle : .passingUp(request)
                context.write(data, promise: promise)
            }
        }
    }

    private func sayContinue(_ context: ChannelHandlerContext) {
        context.writeAndFlush(
            Self.wrapOutboundOut(.head(HTTPResponseHead(version: .http1_1, status: .continue))), promise: nil)
    }

    /// Asked ten times a second while there is a call, or a connection that drains.
    func checkTime(_ now: NIODeadline) {
        if case .draining(_, let deadline) = state, now >= deadline, let context { close(context) }
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

/// A request that the router answers.
struct RouterRequest {
    let isHTTP10: Bool
    /// Whether the connection is to be closed after the answer.
    let closesAfterwards: Bool
    var hasEnded = false
    var hasBegunAnswer = false
    var isAnswered = false

    init(_ head: HTTPRequestHead) {
        isHTTP10 = head.isHTTP10
        closesAfterwards = head.closesConnection
    }
}

extension HTTPRequestHead {
    /// Whether the client waits for leave to send the body.
    var expectsContinue: Bool {
        !isHTTP10 && headers.first(name: "expect")?.lowercased() == "100-continue"
    }

    var isHTTP10: Bool { version.major < 1 || version == .http1_0 }

    /// Whether the connection ends with the answer: for HTTP/1.0, and where it says `close`, in whatever letters.
    var closesConnection: Bool {
        isHTTP10 || !isKeepAlive || headers[canonicalForm: "connection"].contains { $0.lowercased() == "close" }
    }
}
