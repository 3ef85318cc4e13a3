// Part of Rollcall. SPDX-License-Identifier: Apache-2.0

import HTTPTypes
import HummingbirdCore
import Logging
import ModelProxy
import NIOCore
import NIOHTTP1
import NIOHTTPTypes
import NIOHTTPTypesHTTP1

/// One connection of the gateway: model calls are taken on the event loop, everything else goes up to the router.
///
/// The pipeline, from the socket up: ``HeadWatch``, NIO's encoder and decoder, pipelining help (which keeps answers
/// in the order of their requests), ``ConnectionGuard``, the proxy's handler, the codec, the async channel.
struct GatewayChannel: ServerChildChannel, HTTPChannelHandler {
    typealias Value = NIOAsyncChannel<HTTPRequestPart, HTTPResponsePart>

    let responder: HTTPChannelHandler.Responder
    let proxy: ModelProxy
    let limits: ConnectionLimits

    func setup(channel: any Channel, logger: Logger) -> EventLoopFuture<Value> {
        channel.eventLoop.makeCompletedFuture {
            var heads = NIOHTTPDecoderLimitConfiguration()
            heads.maxHeaderFieldSize = limits.headBytes
            heads.maxHeaderListSize = limits.headBytes
            heads.maxHeaderFieldCount = limits.headerFields
            let guardian = ConnectionGuard(limits: limits, loop: channel.eventLoop)
            let pipeline = channel.pipeline.syncOperations
            try pipeline.addHandler(HeadWatch(guardian))
            try pipeline.addHandler(HTTPResponseEncoder())
            try pipeline.addHandler(
                ByteToMessageHandler(HTTPRequestDecoder(leftOverBytesStrategy: .dropBytes, limitConfiguration: heads)))
            try pipeline.addHandler(HTTPServerPipelineHandler())
            try pipeline.addHandler(guardian)
            try pipeline.addHandler(proxy.makeHandler(on: channel.eventLoop))
            try pipeline.addHandler(HTTP1ToHTTPServerCodec(secure: false))
            return try Value(
                wrappingChannelSynchronously: channel, configuration: .init(isOutboundHalfClosureEnabled: true))
        }
    }

    func handle(value: Value, logger: Logger) async {
        await handleHTTP(asyncChannel: value, logger: logger)
    }
}
