// Part of Rollcall. SPDX-License-Identifier: Apache-2.0

import NIOCore

/// Tells the guard that bytes have come, before and after the decoder makes something of them, and keeps the socket
/// readable while a request is answered.
///
/// The pipelining help does not read on before the answer has ended. For the event loop that means to leave the
/// socket's readiness and to come back to it, two system calls a request, so one read is asked for ahead of it. When
/// that brings the next request early, the pipelining help keeps it and decides about further reads.
final class HeadWatch: ChannelInboundHandler {
    typealias InboundIn = ByteBuffer
    typealias InboundOut = ByteBuffer

    private let guardian: ConnectionGuard
    private var cameEarly = false
    private(set) var context: ChannelHandlerContext?

    init(_ guardian: ConnectionGuard) {
        self.guardian = guardian
        guardian.watch = self
    }

    func handlerAdded(context: ChannelHandlerContext) { self.context = context }

    func handlerRemoved(context: ChannelHandlerContext) { self.context = nil }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        if guardian.isAnswering { cameEarly = true }
        guardian.bytesReceived()
        context.fireChannelRead(data)
        guardian.bytesHandled()
    }

    func channelReadComplete(context: ChannelHandlerContext) {
        context.fireChannelReadComplete()
        if guardian.isAnswering, !cameEarly { context.read() }
        cameEarly = false
    }
}

@available(*, unavailable)
extension HeadWatch: Sendable {}
