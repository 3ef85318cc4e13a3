// Part of Rollcall. SPDX-License-Identifier: Apache-2.0

import HTTPTypes
import HummingbirdCore
import Logging
import ModelProxy
import NIOCore
import NIOHTTPTypes
import NIOHTTPTypesHTTP1

/// One connection of the gateway: model calls are taken on the event loop, everything else goes up to the router.
///
/// The pipeline, from the socket up: the proxy's handlers, the codec, the async channel.
struct GatewayChannel: ServerChildChannel, HTTPChannelHandler {
    typealias Value = AcceptedConnection.Channel

    let responder: HTTPChannelHandler.Responder
    let proxy: ModelProxy
    let limits: ConnectionLimits

    func setup(channel: any Channel, logger: Logger) -> EventLoopFuture<Value> {
        channel.eventLoop.makeCompletedFuture {
            try proxy.addHandler(to: channel, limits: limits)
            try channel.pipeline.syncOperations.addHandler(HTTP1ToHTTPServerCodec(secure: false))
            return try Value(
                wrappingChannelSynchronously: channel, configuration: .init(isOutboundHalfClosureEnabled: true))
        }
    }

    func handle(value: Value, logger: Logger) async {
        await handleHTTP(asyncChannel: value, logger: logger)
    }
}
