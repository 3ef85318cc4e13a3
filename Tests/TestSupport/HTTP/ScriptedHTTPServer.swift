// Part of Rollcall. SPDX-License-Identifier: Apache-2.0

import NIOCore
import NIOHTTP1
import NIOPosix
import Synchronization

/// An HTTP server on a free port of 127.0.0.1 that answers from a closure and keeps what it was asked.
package final class ScriptedHTTPServer: Sendable {
    package typealias Answer = @Sendable (Request) async -> Response

    /// The port it listens on.
    package let port: Int

    private let listener: any Channel
    private let record: RequestRecord

    /// Starts a server; a `port` other than 0 takes that one, to come back where another server stood before.
    package static func start(port: Int = 0, answer: @escaping Answer) async throws -> ScriptedHTTPServer {
        let record = RequestRecord()
        let listener = try await ServerBootstrap(group: .singletonMultiThreadedEventLoopGroup)
            .serverChannelOption(.socketOption(.so_reuseaddr), value: 1)
            .serverChannelOption(.backlog, value: 1024)
            .childChannelOption(.tcpOption(.tcp_nodelay), value: 1)
            .childChannelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    try channel.pipeline.syncOperations.configureHTTPServerPipeline(withErrorHandling: true)
                    try channel.pipeline.syncOperations.addHandler(
                        ScriptedRequestHandler(record: record, answer: answer))
                    record.opened(channel)
                }
            }
            .bind(host: "127.0.0.1", port: port).get()
        return ScriptedHTTPServer(listener: listener, record: record)
    }

    /// Runs `body` with a server that is stopped at its end.
    package static func with<Result: Sendable>(
        _ answer: @escaping Answer, isolation: isolated (any Actor)? = #isolation,
        run body: (ScriptedHTTPServer) async throws -> Result
    ) async throws -> Result {
        let server = try await start(answer: answer)
        do {
            let result = try await body(server)
            await server.stop()
            return result
        } catch {
            await server.stop()
            throw error
        }
    }

    private init(listener: any Channel, record: RequestRecord) {
        self.listener = listener
        self.record = record
        port = listener.localAddress?.port ?? 0
    }

    /// `http://127.0.0.1:port`
    package var url: String { "http://127.0.0.1:\(port)" }

    /// Every request whose body has come in, in that order.
    package var requests: [Request] { record.requests }

    /// The requests for this path, whatever their query.
    package func requests(to path: String) -> [Request] { requests.filter { $0.path == path } }

    /// Waits until `count` requests to `path` (to any path without one) have come in.
    package func waitForRequests(
        _ count: Int, to path: String? = nil, within limit: Duration = .seconds(20)
    ) async throws {
        try await eventually("\(count) requests to \(path ?? "any path")", within: limit) {
            (path.map { self.requests(to: $0) } ?? self.requests).count >= count
        }
    }

    /// Closes the listening socket and every connection.
    package func stop() async {
        try? await listener.close().get()
        for channel in record.takeChannels() { try? await channel.close().get() }
    }
}

/// What the connections of one server share.
final class RequestRecord: Sendable {
    private struct State {
        var requests: [ScriptedHTTPServer.Request] = []
        var channels: [ObjectIdentifier: any Channel] = [:]
    }
    private let state = Mutex(State())

    var requests: [ScriptedHTTPServer.Request] { state.withLock { $0.requests } }

    func append(_ request: ScriptedHTTPServer.Request) { state.withLock { $0.requests.append(request) } }

    func opened(_ channel: any Channel) {
        state.withLock { $0.channels[ObjectIdentifier(channel)] = channel }
        channel.closeFuture.whenComplete { [self] _ in
            state.withLock { _ = $0.channels.removeValue(forKey: ObjectIdentifier(channel)) }
        }
    }

    func takeChannels() -> [any Channel] { state.withLock { Array($0.channels.values) } }
}
