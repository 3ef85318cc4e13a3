// Part of Rollcall. SPDX-License-Identifier: Apache-2.0

import NIOCore
import NIOHTTP1

/// What holds for every request of a connection, whoever answers it: deadlines, what is not HTTP or could be understood
/// in two ways, HTTP/1.0, `Connection: close` in any letters, `Expect: 100-continue`, `HEAD`, a client that has ended
/// its side, and an end that does not lose the answer. The handlers above have only their own answers to care for.
final class ConnectionGuard: ChannelDuplexHandler {
    typealias InboundIn = HTTPServerRequestPart
    typealias InboundOut = HTTPServerRequestPart
    typealias OutboundIn = HTTPServerResponsePart
    typealias OutboundOut = HTTPServerResponsePart

    private enum Answer { case none, awaited, begun }

    private let limits: ConnectionLimits
    private let services: LoopServices
    private var loop: any EventLoop { services.loop }
    private var deadlines: ConnectionDeadlines
    private var context: ChannelHandlerContext?
    /// Stands next to the socket.
    weak var watch: HeadWatch?
    private var deadlineTimer: (at: NIODeadline, scheduled: Scheduled<Void>)?
    private var unreadTimer: Scheduled<Void>?
    private var answer = Answer.none
    private var keepAlive = true
    private var isHTTP10 = false
    private var isHead = false
    /// The last answer has been written: nothing more is read or written, but for draining.
    private var isClosing = false

    init(_ limits: ConnectionLimits, _ services: LoopServices) {
        self.limits = limits
        self.services = services
        deadlines = ConnectionDeadlines(limits: limits, now: services.loop.now)
    }

    func handlerAdded(context: ChannelHandlerContext) {
        self.context = context
        schedule(context)
    }

    func handlerRemoved(context: ChannelHandlerContext) { self.context = nil }

    func channelInactive(context: ChannelHandlerContext) {
        deadlineTimer?.scheduled.cancel()
        unreadTimer?.cancel()
        isClosing = true
        context.fireChannelInactive()
    }

    /// Whether a request is whole and its answer is not.
    var isAnswering: Bool { deadlines.phase == .answering }

    func bytesReceived() { deadlines.bytesReceived(loop.now) }

    /// Most requests come whole in one read; only for those that do not is the timer brought forward.
    func bytesHandled() {
        if let context, deadlines.phase != .answering { schedule(context) }
    }

    // MARK: Requests

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        if isClosing { return }
        switch unwrapInboundIn(data) {
        case .head(let head): receive(head, context)
        case .body:
            deadlines.bodyReceived(loop.now)
            context.fireChannelRead(data)
        case .end:
            deadlines.requestEnded()
            if answer == .none { deadlines.answerEnded(loop.now) }
            context.fireChannelRead(data)
        }
    }

    private func receive(_ head: HTTPRequestHead, _ context: ChannelHandlerContext) {
        deadlines.headReceived(loop.now)
        isHTTP10 = head.isHTTP10
        isHead = head.method == .HEAD
        answer = .awaited
        let facts: RequestHeadFacts
        do throws(GatewayProblem) {
            facts = try RequestHeadFacts(head)
        } catch {
            return refuse(context, error)
        }
        // The parser reads nothing behind a request that asks for another protocol.
        keepAlive = head.isKeepAlive && !facts.asksForUpgrade
        context.fireChannelRead(wrapInboundOut(.head(head)))
        // Whoever refuses the request at its head has done so by now.
        if facts.expectsContinue, answer == .awaited, !isClosing {
            let proceed = HTTPResponseHead(version: .http1_1, status: .continue)
            context.writeAndFlush(wrapOutboundOut(.head(proceed)), promise: nil)
        }
    }

    func channelReadComplete(context: ChannelHandlerContext) {
        context.fireChannelReadComplete()
        if isClosing { context.read() }
    }

    func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
        if case ChannelEvent.inputClosed = event {
            if isClosing { return context.close(promise: nil) }
            // Nothing will follow the request that is being answered.
            keepAlive = false
        }
        context.fireUserInboundEventTriggered(event)
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        guard let parserError = error as? HTTPParserError else { return context.fireErrorCaught(error) }
        if isClosing { return }
        if answer == .begun { return context.close(promise: nil) }
        refuse(
            context, parserError == .headerOverflow ? .headTooLarge(limits) : .notHTTP("\(parserError)"))
    }

    // MARK: Answers

    func write(context: ChannelHandlerContext, data: NIOAny, promise: EventLoopPromise<Void>?) {
        if isClosing {
            promise?.fail(ChannelError.ioOnClosedChannel)
            return
        }
        switch unwrapOutboundIn(data) {
        case .head(let head) where head.status.code < 200: context.write(data, promise: promise)
        case .head(let head):
            answer = .begun
            context.write(wrapOutboundOut(.head(frame(head))), promise: promise)
        case .body:
            if isHead { promise?.succeed() } else { context.write(data, promise: promise) }
        case .end: end(context, data, promise)
        }
    }

    private func frame(_ original: HTTPResponseHead) -> HTTPResponseHead {
        var head = original
        if isHTTP10 {
            head.version = .http1_0
            head.headers.remove(name: "transfer-encoding")
            // Without a length only the connection's end ends the answer.
            if !head.headers.contains(name: "content-length") { keepAlive = false }
        }
        if head.headers[canonicalForm: "connection"].contains(where: { $0.lowercased() == "close" }) {
            keepAlive = false
        }
        if !keepAlive {
            head.headers.replaceOrAdd(name: "connection", value: "close")
        } else if isHTTP10 {
            head.headers.replaceOrAdd(name: "connection", value: "keep-alive")
        }
        return head
    }

    private func end(_ context: ChannelHandlerContext, _ data: NIOAny, _ promise: EventLoopPromise<Void>?) {
        // The state comes first: the write lets the next request in before it returns.
        answer = .none
        if keepAlive {
            deadlines.answerEnded(loop.now)
            schedule(context)
            context.write(data, promise: promise)
        } else {
            close(context, afterWriting: data, promise)
        }
    }

    func channelWritabilityChanged(context: ChannelHandlerContext) {
        unreadTimer?.cancel()
        unreadTimer = nil
        if !context.channel.isWritable {
            let bound = NIOLoopBound(context, eventLoop: loop)
            unreadTimer = loop.scheduleTask(in: limits.unread) { bound.value.close(promise: nil) }
        }
        context.fireChannelWritabilityChanged()
    }

    // MARK: The end

    /// Answers in the guard's own name and ends the connection.
    private func refuse(_ context: ChannelHandlerContext, _ problem: GatewayProblem) {
        services.metrics.answered(problem)
        keepAlive = false
        let head = problem.head(requestID: services.nextRequestID())
        context.write(wrapOutboundOut(.head(frame(head))), promise: nil)
        if !isHead {
            context.write(wrapOutboundOut(.body(.byteBuffer(ByteBuffer(bytes: problem.body)))), promise: nil)
        }
        close(context, afterWriting: wrapOutboundOut(.end(nil)), nil)
        context.flush()
    }

    /// Answers where there is no request yet that the handlers on the way would take an answer for.
    private func refuseUnread(_ context: ChannelHandlerContext, _ problem: GatewayProblem) {
        guard let socket = watch?.context else { return context.close(promise: nil) }
        services.metrics.answered(problem)
        isClosing = true
        deadlineTimer?.scheduled.cancel()
        let written = loop.makePromise(of: Void.self)
        linger(context, after: written.futureResult)
        socket.writeAndFlush(NIOAny(problem.rawAnswer(requestID: services.nextRequestID())), promise: written)
    }

    /// Writes the last part, closes the output, and reads until the client has closed too: a socket that is closed
    /// with bytes unread would reset the connection, and the client might never see the answer.
    private func close(
        _ context: ChannelHandlerContext, afterWriting data: NIOAny, _ promise: EventLoopPromise<Void>?
    ) {
        isClosing = true
        deadlineTimer?.scheduled.cancel()
        let written = promise ?? loop.makePromise(of: Void.self)
        linger(context, after: written.futureResult)
        context.write(data, promise: written)
    }

    private func linger(_ context: ChannelHandlerContext, after written: EventLoopFuture<Void>) {
        let bound = NIOLoopBound(context, eventLoop: loop)
        let time = limits.linger
        let loop = loop
        written.whenComplete { _ in
            bound.value.close(mode: .output, promise: nil)
            bound.value.read()
            loop.scheduleTask(in: time) { bound.value.close(promise: nil) }
        }
    }

    /// Makes sure that a timer fires at the next deadline or before it.
    private func schedule(_ context: ChannelHandlerContext) {
        guard !isClosing, let next = deadlines.next else { return }
        if let deadlineTimer {
            if deadlineTimer.at <= next.at { return }
            deadlineTimer.scheduled.cancel()
        }
        let bound = NIOLoopBound((self, context), eventLoop: loop)
        let scheduled = loop.scheduleTask(deadline: next.at) {
            let (guardian, context) = bound.value
            guardian.deadlineReached(context)
        }
        deadlineTimer = (next.at, scheduled)
    }

    /// The timer is not moved with every request; when it fires, what it is for may long have come.
    private func deadlineReached(_ context: ChannelHandlerContext) {
        deadlineTimer = nil
        guard !isClosing, let next = deadlines.next else { return }
        if next.at > loop.now { return schedule(context) }
        switch next.expiry {
        case .idle: context.close(promise: nil)
        case .slowHead: refuseUnread(context, .slowHead(limits))
        case .slowBody:
            if answer == .awaited { refuse(context, .slowBody(limits)) } else { context.close(promise: nil) }
        }
    }
}

@available(*, unavailable)
extension ConnectionGuard: Sendable {}
