// Part of Rollcall. SPDX-License-Identifier: Apache-2.0

import EvalProtocol
import Foundation
import Hummingbird
import HummingbirdCore
import HummingbirdTLS
import Logging
import NIOCore
import NIOPosix
import ServiceLifecycle
import Synchronization
import UnixSignals
import WireJSON

/// Serves an environment at one address, `localhost` being two.
package struct EnvironmentServer: Service {
    package let environment: RolloutEnvironment
    let host: String
    let port: Int
    /// Told the port once the environment can be reached.
    var onReady: @Sendable (Int) -> Void

    package init(
        environment: RolloutEnvironment, host: String, port: Int, onReady: @escaping @Sendable (Int) -> Void = { _ in }
    ) {
        self.environment = environment
        self.host = host
        self.port = port
        self.onReady = onReady
    }

    private var logger: Logger { environment.core.configuration.logger }

    func runUntilSignal() async throws {
        var server = self
        server.onReady = { port in announce(port: port) }
        // Shut down from the last: the environment drains while the server still answers.
        let group = ServiceGroup(
            configuration: ServiceGroupConfiguration(
                services: [
                    .init(service: server, successTerminationBehavior: .gracefullyShutdownGroup),
                    .init(service: environment, successTerminationBehavior: .ignore),
                ],
                gracefulShutdownSignals: [.sigterm, .sigint], logger: logger))
        try await group.run()
    }

    package func run() async throws {
        let builder = try await builder()
        warnIfOpen()
        guard host == "localhost" else {
            return try await serve(host, port: port, builder) { port in onReady(port) }
        }
        try await withThrowingTaskGroup(of: Void.self) { group in
            let (ports, continuation) = AsyncStream<Int>.makeStream(bufferingPolicy: .bufferingNewest(1))
            group.addTask {
                defer { continuation.finish() }
                try await serve("127.0.0.1", port: port, builder) { port in continuation.yield(port) }
            }
            group.addTask {
                guard let port = await ports.first(where: { _ in true }) else { return }
                do {
                    try await serve("::1", port: port, builder) { port in onReady(port) }
                } catch {
                    guard self.port == 0 || error.meansNoIPv6 else { throw error }
                    logger.warning("not reachable at [::1]:\(port): \(error)")
                    onReady(port)
                }
            }
            try await group.waitForAll()
        }
    }

    /// Connections with TLS or without.
    private func builder() async throws -> HTTPServerBuilder {
        guard let files = environment.core.configuration.tls else { return .http1() }
        let configuration = try await NIOThreadPool.singleton.runIfActive { try files.configuration() }
        return try .tls(.http1(), tlsConfiguration: configuration)
    }

    private func warnIfOpen() {
        let core = environment.core
        guard !LoopbackHost.includes(host), core.keys.isOpen, core.pathSecret == nil else { return }
        logger.warning(
            "the environment listens on \(host), and whoever reaches it there may start rollouts: give it keys (ROLLCALL_ENVIRONMENT_KEYS) or a path secret, or let it listen on localhost"
        )
    }

    private func serve(
        _ address: String, port: Int, _ builder: HTTPServerBuilder, onRunning: @escaping @Sendable (Int) -> Void
    ) async throws {
        let router = Router()
        let routes = EnvironmentRoutes(core: environment.core, servesRoot: true)
        routes.add(to: router)
        var quiet = logger
        quiet.logLevel = max(quiet.logLevel, .warning)
        let application = Application(
            responder: UnknownPathResponder(base: router.buildResponder(), routes: routes), server: builder,
            configuration: ApplicationConfiguration(address: .hostname(address, port: port), backlog: 4_096),
            onServerRunning: { channel in onRunning(channel.localAddress?.port ?? port) },
            logger: quiet)
        try await application.run()
    }

    /// One line for people, one for programs.
    private func announce(port: Int) {
        let configuration = environment.core.configuration
        let scheme = configuration.tls == nil ? "http" : "https"
        let url = "\(scheme)://\(host.contains(":") ? "[\(host)]" : host):\(port)"
        let line: JSONValue = ["event": "ready", "service": "environment", "url": .string(url), "port": .number(port)]
        let path = configuration.pathSecret == nil ? "/init" : "/<\(PathSecret.parameter)>/init"
        FileHandle.standardError.write(Data("The environment is ready: POST \(url)\(path)\n".utf8))
        FileHandle.standardOutput.write(Data("\(line)\n".utf8))
    }
}

extension Error {
    /// Whether an address could not be bound for want of IPv6.
    fileprivate var meansNoIPv6: Bool {
        guard let error = self as? IOError else { return false }
        return error.errnoCode == EADDRNOTAVAIL || error.errnoCode == EAFNOSUPPORT
    }
}
