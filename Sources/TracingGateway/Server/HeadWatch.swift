// Part of Rollcall. SPDX-License-Identifier: Apache-2.0

import NIOCore

/// Tells the guard that bytes have come, before and after the decoder makes something of them.
final class HeadWatch: ChannelInboundHandler {
    typealias InboundIn = ByteBuffer
    typealias InboundOut = ByteBuffer

    private let guardian: ConnectionGuard

    init(_ guardian: ConnectionGuard) { self.guardian = guardian }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        guardian.bytesReceived()
        context.fireChannelRead(data)
        guardian.bytesHandled()
    }
}

@available(*, unavailable)
extension HeadWatch: Sendable {}
