// Part of Rollcall. SPDX-License-Identifier: Apache-2.0

import HTTPTypes
import NIOCore

/// A connection beyond the bound: answered 503 without being listened to, then closed.
final class RefusedConnection: ChannelInboundHandler {
    typealias InboundIn = ByteBuffer
    typealias OutboundOut = ByteBuffer

    private let linger: TimeAmount

    init(linger: TimeAmount) { self.linger = linger }

    private static let problem = Problem.tooBusy("too many connections are open; send the request again later")

    func channelActive(context: ChannelHandlerContext) {
        var head = "HTTP/1.1 503 Service Unavailable\r\nconnection: close\r\n"
        for field in Self.problem.headerFields { head += "\(field.name.rawName): \(field.value)\r\n" }
        let body = Self.problem.body
        head += "\(RequestID.headerName): \(RequestID())\r\ncontent-length: \(body.count)\r\n\r\n"
        var buffer = context.channel.allocator.buffer(capacity: head.utf8.count + body.count)
        buffer.writeString(head)
        buffer.writeBytes(body)
        let bound = NIOLoopBound(context, eventLoop: context.eventLoop)
        let linger = linger
        context.writeAndFlush(wrapOutboundOut(buffer)).whenComplete { _ in
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
