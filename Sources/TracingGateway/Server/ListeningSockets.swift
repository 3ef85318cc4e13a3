// Part of Rollcall. SPDX-License-Identifier: Apache-2.0

import Logging
import NIOCore
import NIOPosix

/// The sockets that a gateway listens on: one, or for `localhost` one of each family on the same port.
struct ListeningSockets {
    typealias Server = NIOAsyncChannel<AcceptedConnection?, Never>

    let servers: [Server]
    let port: Int

    private let channel: GatewayChannel
    private let registry: ConnectionRegistry

    /// - Parameter port: 0 takes a free one.
    static func bind(
        host: String, port: Int, channel: GatewayChannel, registry: ConnectionRegistry, group: any EventLoopGroup,
        logger: Logger
    ) async throws -> ListeningSockets {
        let binding = Binding(channel: channel, registry: registry, group: group, logger: logger)
        guard host == "localhost" else {
            let server = try await binding.bind(host, port)
            return ListeningSockets(
                servers: [server], port: server.channel.localAddress?.port ?? port, channel: channel,
                registry: registry)
        }
        var attemptsLeft = 16
        while true {
            attemptsLeft -= 1
            let first = try await binding.bind("127.0.0.1", port)
            let taken = first.channel.localAddress?.port ?? port
            do throws(GatewayStartError) {
                let second = try await binding.bind("::1", taken)
                return ListeningSockets(servers: [first, second], port: taken, channel: channel, registry: registry)
            } catch  where error.isInUse {
                try? await first.channel.close()
                // The free port was free for one family only: another one may be so for both.
                if port != 0 || attemptsLeft == 0 { throw error }
            } catch {
                logger.warning("There is no IPv6 here; localhost is 127.0.0.1 alone: \(error.description)")
                return ListeningSockets(servers: [first], port: taken, channel: channel, registry: registry)
            }
        }
    }

    /// The addresses as text, `127.0.0.1:8787`.
    var addresses: [String] {
        servers.compactMap { $0.channel.localAddress }.map { address in
            let host = address.ipAddress ?? ""
            return host.contains(":") ? "[\(host)]:\(port)" : "\(host):\(port)"
        }
    }

    /// Serves connections until the sockets are closed and the last connection has ended.
    func serve(logger: Logger) async {
        let channel = channel
        await withDiscardingTaskGroup { group in
            for server in servers {
                group.addTask {
                    await withDiscardingTaskGroup { connections in
                        do {
                            try await server.executeThenClose { inbound in
                                for try await case let connection? in inbound {
                                    connections.addTask {
                                        await channel.handle(value: connection.serve(), logger: logger)
                                    }
                                }
                            }
                        } catch {
                            logger.error("A listening socket failed: \(error)")
                        }
                    }
                }
            }
        }
    }

    /// Stops accepting.
    func close() {
        for server in servers { server.channel.close(promise: nil) }
    }
}

/// Binds one socket.
private struct Binding {
    let channel: GatewayChannel
    let registry: ConnectionRegistry
    let group: any EventLoopGroup
    let logger: Logger

    func bind(_ host: String, _ port: Int) async throws(GatewayStartError) -> ListeningSockets.Server {
        let bootstrap = ServerBootstrap(group: group)
            .serverChannelOption(.backlog, value: 1024)
            .serverChannelOption(.socketOption(.so_reuseaddr), value: 1)
            .childChannelOption(.socketOption(.so_reuseaddr), value: 1)
            .childChannelOption(.tcpOption(.tcp_nodelay), value: 1)
            .childChannelOption(.allowRemoteHalfClosure, value: true)
        let (channel, registry, logger) = (channel, registry, logger)
        do {
            return try await bootstrap.bind(host: host, port: port) { child in
                guard registry.add(child) else {
                    return child.eventLoop.makeCompletedFuture {
                        try child.pipeline.syncOperations.addHandler(RefusedConnection(limits: channel.limits))
                        return nil
                    }
                }
                return channel.setup(channel: child, logger: logger).map { AcceptedConnection($0) }
            }
        } catch let error as IOError where error.errnoCode == EADDRINUSE {
            throw .portInUse(host, port)
        } catch {
            throw .cannotBind(host, port, "\(error)")
        }
    }
}
