// Part of Rollcall. SPDX-License-Identifier: Apache-2.0

import ModelProxy
import NIOCore

/// A connection beyond the bound: answered 503 without being listened to, then closed.
final class RefusedConnection: ChannelInboundHandler {
    typealias InboundIn = ByteBuffer
    typealias OutboundOut = ByteBuffer

    private let limits: ConnectionLimits

    init(limits: ConnectionLimits) { self.limits = limits }

    func channelActive(context: ChannelHandlerContext) {
        let answer = GatewayProblem.tooManyConnections(limits).rawAnswer(requestID: RequestID().description)
        let bound = NIOLoopBound(context, eventLoop: context.eventLoop)
        let linger = limits.linger
        context.writeAndFlush(wrapOutboundOut(answer)).whenComplete { _ in
            let context = bound.value
            context.close(mode: .output, promise: nil)
            context.eventLoop.scheduleTask(in: linger) { bound.value.close(promise: nil) }
        }
        context.fireChannelActive()
    }

    /// What the client says is dropped: closing with bytes unread would take the answer from it.
    func channelRead(context: ChannelHandlerContext, data: NIOAny) {}

    func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
        if case ChannelEvent.inputClosed = event { context.close(promise: nil) }
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) { context.close(promise: nil) }
}

@available(*, unavailable)
extension RefusedConnection: Sendable {}
