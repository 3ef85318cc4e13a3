// Part of Rollcall. SPDX-License-Identifier: Apache-2.0

import Foundation
import Hummingbird
import Logging
import NIOCore
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
        server.onReady = { [host] port in Self.announce(host: host, port: port) }
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
        guard host == "localhost" else {
            return try await serve(host, port: port) { port in onReady(port) }
        }
        try await withThrowingTaskGroup(of: Void.self) { group in
            let (ports, continuation) = AsyncStream<Int>.makeStream(bufferingPolicy: .bufferingNewest(1))
            group.addTask {
                defer { continuation.finish() }
                try await serve("127.0.0.1", port: port) { port in continuation.yield(port) }
            }
            group.addTask {
                guard let port = await ports.first(where: { _ in true }) else { return }
                do {
                    try await serve("::1", port: port) { port in onReady(port) }
                } catch {
                    guard self.port == 0 || error.meansNoIPv6 else { throw error }
                    logger.warning("not reachable at [::1]:\(port): \(error)")
                    onReady(port)
                }
            }
            try await group.waitForAll()
        }
    }

    private func serve(_ address: String, port: Int, onRunning: @escaping @Sendable (Int) -> Void) async throws {
        let router = Router()
        let routes = EnvironmentRoutes(core: environment.core, servesRoot: true)
        routes.add(to: router)
        var quiet = logger
        quiet.logLevel = max(quiet.logLevel, .warning)
        let application = Application(
            responder: UnknownPathResponder(base: router.buildResponder(), routes: routes),
            configuration: ApplicationConfiguration(address: .hostname(address, port: port), backlog: 4_096),
            onServerRunning: { channel in onRunning(channel.localAddress?.port ?? port) },
            logger: quiet)
        try await application.run()
    }

    /// One line for people, one for programs.
    private static func announce(host: String, port: Int) {
        let url = "http://\(host.contains(":") ? "[\(host)]" : host):\(port)"
        let line: JSONValue = ["event": "ready", "service": "environment", "url": .string(url), "port": .number(port)]
        FileHandle.standardError.write(Data("The environment is ready: POST \(url)/init\n".utf8))
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
