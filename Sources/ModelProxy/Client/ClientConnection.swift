// Part of Rollcall. SPDX-License-Identifier: Apache-2.0

import NIOCore
import NIOHTTP1

/// One client's connection, right above the socket: reads requests, one at a time, and has model calls answered by its
/// ``ModelCallHandler``; every other request goes up to the next handler, whose answer is written here.
///
/// What holds for each of them is seen to here, whoever answers it: deadlines, what is not HTTP or could be understood in
/// two ways, HTTP/1.0, `Connection: close`, `Expect: 100-continue`, `HEAD`, a client that has ended its side, and an end
/// that does not lose the answer.
///
/// Nothing is read while a request is answered, but for one read ahead: to leave the socket's readiness and come back to
/// it would be two system calls a request. What that brings waits in ``unread``.
final class ClientConnection: ChannelDuplexHandler {
    typealias InboundIn = ByteBuffer
    typealias InboundOut = HTTPServerRequestPart
    typealias OutboundIn = HTTPServerResponsePart
    typealias OutboundOut = ByteBuffer

    /// Who has the present request, or had the last one.
    private enum Recipient { case router, calls }
    enum Answer { case none, awaited, begun }

    let limits: ConnectionLimits
    let services: LoopServices
    let calls: ModelCallHandler
    var loop: any EventLoop { services.loop }
    private(set) var context: ChannelHandlerContext?

    /// Not checked for exclusive access: a value that calls nobody who could come back here.
    @exclusivity(unchecked)
    private var framing: RequestFraming
    private var recipient = Recipient.router
    /// What has come and is not understood yet: a part of something, or requests behind the one that is answered.
    private var unread: ByteBuffer?
    private var isReading = false
    private var holdsRead = false
    private var inputHasEnded = false
    /// Whether something has gone up since the last end of a read; the handlers above need not hear of others.
    private var hasPassedUp = false
    var deadlines: ConnectionDeadlines
    private var deadlineTimer: (at: NIODeadline, scheduled: Scheduled<Void>)?
    private var unreadTimer: Scheduled<Void>?

    // The present answer.
    var answer = Answer.none
    var keepsAlive = true
    var isHTTP10 = false
    var isHEAD = false
    var isChunked = false
    /// What is written and not yet given to the channel. Not checked, as ``framing``.
    @exclusivity(unchecked)
    var outgoing: ByteBuffer?
    /// The last answer has been written: nothing more is read or written, but for draining.
    var isClosing = false
    private var isQuiescing = false

    init(_ limits: ConnectionLimits, _ services: LoopServices) {
        self.limits = limits
        self.services = services
        calls = ModelCallHandler(services)
        framing = RequestFraming(maximumHeadBytes: limits.headBytes, maximumFields: limits.headerFields)
        deadlines = ConnectionDeadlines(limits: limits, now: services.loop.now)
    }

    func handlerAdded(context: ChannelHandlerContext) {
        self.context = context
        calls.connection = self
        schedule()
    }

    func handlerRemoved(context: ChannelHandlerContext) {
        self.context = nil
        calls.connection = nil
    }

    // MARK: Bytes

    func read(context: ChannelHandlerContext) {
        if unread != nil, isAnswering { holdsRead = true } else { context.read() }
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        if isClosing { return }
        var bytes = unwrapInboundIn(data)
        if unread != nil {
            unread?.writeBuffer(&bytes)
            takeUnread()
        } else {
            if !isAnswering { deadlines.bytesReceived(.now()) }
            take(&bytes)
            // A copy, since a slice would hold the whole read buffer.
            if bytes.readableBytes > 0, !isClosing { unread = ByteBuffer(bytes: bytes.readableBytesView) }
        }
        // Most requests come whole in one read; only for those that do not is the timer brought forward.
        if !isAnswering { schedule() }
    }

    private func takeUnread() {
        guard var bytes = unread else { return }
        unread = nil
        if !isAnswering { deadlines.bytesReceived(.now()) }
        take(&bytes)
        if bytes.readableBytes > 0, !isClosing { unread = bytes }
    }

    /// Takes what is whole in the bytes, up to a request whose answer has to be waited for.
    private func take(_ bytes: inout ByteBuffer) {
        isReading = true
        defer { isReading = false }
        do throws(RequestFraming.Fault) {
            while !isAnswering, !isClosing, let event = try framing.next(&bytes) {
                switch event {
                case .head(let head): receive(head)
                case .body(let piece): receive(piece)
                case .end: requestEnded()
                }
            }
        } catch {
            fail(error)
        }
    }

    /// Whether a request is whole and its answer is not.
    private var isAnswering: Bool { deadlines.phase == .answering }

    func channelReadComplete(context: ChannelHandlerContext) {
        readEnded()
        if isClosing { context.read() }
    }

    private func readEnded() {
        guard hasPassedUp else { return }
        hasPassedUp = false
        context?.fireChannelReadComplete()
    }

    // MARK: Requests

    private func receive(_ head: RequestHead) {
        deadlines.headReceived(.now())
        isHTTP10 = head.isHTTP10
        isHEAD = head.method == .HEAD
        keepsAlive = head.keepsAlive && !isQuiescing
        answer = .awaited
        switch CallRoute(head, services) {
        case .passUp:
            recipient = .router
            passUp(.head(head.standard))
        case let route:
            recipient = .calls
            calls.begin(head, route)
        }
        // Whoever refuses the request at its head has done so by now.
        if head.expectsContinue, answer == .awaited, !isClosing {
            write(HTTPResponseHead(version: .http1_1, status: .continue))
            flush()
        }
    }

    private func receive(_ piece: ByteBuffer) {
        deadlines.bodyReceived(.now())
        switch recipient {
        case .router: passUp(.body(piece))
        case .calls: calls.take(piece)
        }
    }

    private func requestEnded() {
        deadlines.requestEnded()
        if answer == .none { deadlines.answerEnded(.now()) }
        switch recipient {
        case .router: passUp(.end(nil))
        case .calls: calls.requestEnded()
        }
    }

    private func passUp(_ part: HTTPServerRequestPart) {
        hasPassedUp = true
        context?.fireChannelRead(wrapInboundOut(part))
    }

    private func fail(_ fault: RequestFraming.Fault) {
        // Its answer is on its way already, or has gone before its end.
        if answer == .begun || (answer == .none && framing.isWithinBody) { return close() }
        switch fault {
        case .headTooLarge: refuse(.headTooLarge(limits))
        case .notHTTP(let error): refuse(.notHTTP(error.description))
        }
    }

    /// The answer has ended, and the connection goes on.
    func goOn() {
        deadlines.answerEnded(.now())
        schedule()
        guard !isReading else { return }
        takeUnread()
        readEnded()
        if isAnswering, unread != nil { return }
        if inputHasEnded { inputEnded() }
        if holdsRead {
            holdsRead = false
            context?.read()
        }
    }

    // MARK: Events

    func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
        switch event {
        case ChannelEvent.inputClosed:
            inputHasEnded = true
            if isClosing { return close() }
            // Requests that wait are answered first.
            if unread == nil || !isAnswering { inputEnded() }
        case is ChannelShouldQuiesceEvent:
            isQuiescing = true
            keepsAlive = false
            if answer == .none { close() }
        default: context.fireUserInboundEventTriggered(event)
        }
    }

    /// Nothing will follow what has been read.
    private func inputEnded() {
        if isClosing { return }
        keepsAlive = false
        if framing.isWithinRequest {
            fail(.notHTTP(FramingError("it ends before it is whole")))
        } else if answer != .none, recipient == .calls {
            calls.inputEnded()
        } else {
            context?.fireUserInboundEventTriggered(ChannelEvent.inputClosed)
        }
    }

    func channelInactive(context: ChannelHandlerContext) {
        deadlineTimer?.scheduled.cancel()
        unreadTimer?.cancel()
        isClosing = true
        calls.connectionLost()
        context.fireChannelInactive()
    }

    func channelWritabilityChanged(context: ChannelHandlerContext) {
        unreadTimer?.cancel()
        unreadTimer = nil
        if context.channel.isWritable {
            calls.clientReads()
        } else {
            let bound = NIOLoopBound(context, eventLoop: loop)
            unreadTimer = loop.scheduleTask(in: limits.unread) { bound.value.close(promise: nil) }
        }
        context.fireChannelWritabilityChanged()
    }

    // MARK: Deadlines

    /// Makes sure that a timer fires at the next deadline or before it.
    private func schedule() {
        guard !isClosing, let next = deadlines.next else { return }
        if let deadlineTimer {
            if deadlineTimer.at <= next.at { return }
            deadlineTimer.scheduled.cancel()
        }
        let bound = NIOLoopBound(self, eventLoop: loop)
        deadlineTimer = (next.at, loop.scheduleTask(deadline: next.at) { bound.value.deadlineReached() })
    }

    /// The timer is not moved with every request; when it fires, what it is for may long have come.
    private func deadlineReached() {
        deadlineTimer = nil
        guard !isClosing, let next = deadlines.next else { return }
        if next.at > loop.now { return schedule() }
        switch next.expiry {
        case .idle: close()
        case .slowHead: refuse(.slowHead(limits))
        case .slowBody: if answer == .awaited { refuse(.slowBody(limits)) } else { close() }
        }
    }

    func cancelDeadline() { deadlineTimer?.scheduled.cancel() }
}

@available(*, unavailable)
extension ClientConnection: Sendable {}
