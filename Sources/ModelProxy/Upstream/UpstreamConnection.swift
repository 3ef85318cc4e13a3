// Part of Rollcall. SPDX-License-Identifier: Apache-2.0

import NIOCore
import NIOTLS

/// One connection to an upstream: writes a call's request as it is, and tells the call what comes back.
///
/// Lives on one event loop, that of the calls it serves.
final class UpstreamConnection: ChannelDuplexHandler {
    typealias InboundIn = ByteBuffer
    typealias OutboundIn = ByteBuffer
    typealias OutboundOut = ByteBuffer

    private let pool: UpstreamPool
    /// Fulfilled when the TLS handshake is done; `nil` without TLS, and afterwards.
    private var handshake: EventLoopPromise<Void>?
    private var context: ChannelHandlerContext?
    /// Not checked for exclusive access: a value that calls nobody who could come back here.
    @exclusivity(unchecked)
    private var framing = ResponseFraming()
    /// Bytes of a head or chunk line that is not complete yet.
    private var unread: ByteBuffer?
    private var call: ModelCallHandler?
    private var keepsAlive = false
    private var isPaused = false
    private var holdsRead = false
    private var failure: (any Error)?
    /// Whether the pool does not count this connection: not yet, or no more.
    private var hasLeft = true
    /// Whether it has served a call before the present one.
    private(set) var isReused = false
    /// Whether a byte of the present call's answer has come.
    private(set) var hasAnswered = false

    init(pool: UpstreamPool, handshake: EventLoopPromise<Void>?) {
        self.pool = pool
        self.handshake = handshake
    }

    // MARK: From pool and call

    /// The pool counts it from here on.
    func join() { hasLeft = false }

    /// Sends a request and serves its call from here on.
    func send(_ request: ByteBuffer, isHEAD: Bool, for call: ModelCallHandler) {
        framing = ResponseFraming(isAnswerToHEAD: isHEAD)
        hasAnswered = false
        self.call = call
        guard let context, context.channel.isActive else {
            fail(FramingError("the upstream closed the connection before it answered"))
            return
        }
        context.writeAndFlush(Self.wrapOutboundOut(request), promise: nil)
    }

    /// Gives up the present call and the connection with it.
    func abandon() {
        call = nil
        leave()
        context?.close(promise: nil)
    }

    /// Closes a connection that serves nobody and is no longer the pool's.
    func discard() {
        hasLeft = true
        context?.close(promise: nil)
    }

    /// Reads no more than what has come already.
    func pause() { isPaused = true }

    func resume() {
        isPaused = false
        if holdsRead {
            holdsRead = false
            context?.read()
        }
    }

    /// Whether it can be given to a call.
    var isUsable: Bool { context?.channel.isActive == true && failure == nil }

    /// Whether nothing of the request is left to write: an upstream may answer before it has read all of it. Its channel
    /// counts as writable only then (``writeBufferWaterMark``), and to ask for the number of bytes takes many times as long.
    private var hasSentAll: Bool { context?.channel.isWritable ?? true }

    /// What a connection's channel must be set to.
    static var writeBufferWaterMark: ChannelOptions.Types.WriteBufferWaterMark { .init(low: 1, high: 1) }

    // MARK: From the channel

    func handlerAdded(context: ChannelHandlerContext) { self.context = context }

    func handlerRemoved(context: ChannelHandlerContext) { self.context = nil }

    func read(context: ChannelHandlerContext) {
        if isPaused { holdsRead = true } else { context.read() }
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        var buffer = Self.unwrapInboundIn(data)
        guard call != nil else {
            // Nobody has asked for anything: whatever it is, the connection cannot be trusted any more.
            failure = FramingError("the upstream sent something unasked")
            leave()
            context.close(promise: nil)
            return
        }
        hasAnswered = true
        if var earlier = unread {
            unread = nil
            earlier.writeBuffer(&buffer)
            buffer = earlier
        }
        do throws(FramingError) {
            while let call, let event = try framing.next(&buffer) {
                switch event {
                case .head(let head):
                    keepsAlive = head.keepsAlive
                    call.upstreamAnswered(head)
                case .body(let bytes): call.upstreamSent(bytes)
                case .end: finish(leavesNothing: buffer.readableBytes == 0)
                }
            }
        } catch {
            fail(error)
            return
        }
        // A copy, since a slice would hold the whole read buffer.
        if call != nil, buffer.readableBytes > 0 { unread = ByteBuffer(bytes: buffer.readableBytesView) }
    }

    func channelReadComplete(context: ChannelHandlerContext) { call?.upstreamPaused() }

    func channelInactive(context: ChannelHandlerContext) {
        handshake?.fail(failure ?? ChannelError.eof)
        handshake = nil
        if call != nil {
            if let failure {
                fail(failure)
            } else {
                do throws(FramingError) {
                    keepsAlive = false
                    if try framing.inputEnded() == .end { finish(leavesNothing: false) }
                } catch {
                    fail(error)
                }
            }
        }
        leave()
    }

    func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
        if let event = event as? TLSUserEvent, case .handshakeCompleted = event {
            handshake?.succeed()
            handshake = nil
        }
        context.fireUserInboundEventTriggered(event)
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        failure = failure ?? error
        context.close(promise: nil)
    }

    // MARK: The end of a call

    private func finish(leavesNothing: Bool) {
        guard let call else { return }
        self.call = nil
        isReused = true
        isPaused = false
        if keepsAlive, leavesNothing, isUsable, hasSentAll {
            resume()
            pool.release(self)
        } else {
            leave()
            context?.close(promise: nil)
        }
        call.upstreamEnded()
    }

    private func fail(_ error: any Error) {
        let call = call
        self.call = nil
        failure = failure ?? error
        leave()
        context?.close(promise: nil)
        call?.upstreamFailed(error, isReused: isReused, hasAnswered: hasAnswered)
    }

    private func leave() {
        guard !hasLeft else { return }
        hasLeft = true
        pool.closed(self)
    }
}

extension UpstreamConnection: Hashable {
    static func == (left: UpstreamConnection, right: UpstreamConnection) -> Bool { left === right }

    func hash(into hasher: inout Hasher) { hasher.combine(ObjectIdentifier(self)) }
}

@available(*, unavailable)
extension UpstreamConnection: Sendable {}
