// Part of Rollcall. SPDX-License-Identifier: Apache-2.0

import NIOCore
import NIOPosix
import Testing
import TracingGateway

@Suite("TracingGateway: accepted connections") struct AcceptedConnectionTests {
    @Test("one that nobody has come to serve is closed, and does not end the process") func dropped() async throws {
        let group = MultiThreadedEventLoopGroup.singleton
        let server = try await ServerBootstrap(group: group).bind(host: "127.0.0.1", port: 0).get()
        let address = try #require(server.localAddress)
        let channel = try await Self.connectedAndDropped(address, group)
        try await channel.closeFuture.get()
        try await server.close()
    }

    private static func connectedAndDropped(
        _ address: SocketAddress, _ group: any EventLoopGroup
    ) async throws -> any Channel {
        let (channel, _) = try await ClientBootstrap(group: group).connect(to: address) { channel in
            channel.eventLoop.makeCompletedFuture {
                (channel, AcceptedConnection(try AcceptedConnection.Channel(wrappingChannelSynchronously: channel)))
            }
        }
        return channel
    }
}
