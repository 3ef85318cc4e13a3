// Part of Rollcall. SPDX-License-Identifier: Apache-2.0

import EvalProtocol
import Foundation
import Hummingbird
import Logging
import ModelProxy
import NIOPosix
import RolloutEnvironment
import SQLiteTraceStore
import ServiceLifecycle
import TestSupport
import TraceStore
import TracingGateway

/// A gateway over a store on disk and an environment, both on real sockets, in front of a scripted model.
struct Loop {
    let gatewayURL: String
    let environmentURL: String
    let model: ScriptedHTTPServer

    static func with<Result: Sendable>(
        model answer: @escaping ScriptedHTTPServer.Answer,
        configuration: RolloutEnvironment.Configuration = quietConfiguration(),
        agent: @escaping RolloutEnvironment.Agent,
        run body: @escaping @Sendable (Loop) async throws -> Result
    ) async throws -> Result {
        try await ScriptedHTTPServer.with(answer) { model in
            let folder = FileManager.default.temporaryDirectory.appending(path: "rollcall-\(UUID().uuidString)")
            try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
            defer { try? FileManager.default.removeItem(at: folder) }

            let (gatewayURLs, gatewayReady) = AsyncStream<String>.makeStream()
            let gateway = try gateway(store: folder, upstream: model.url + "/v1") { gatewayReady.yield($0.url) }
            return try await running([gateway]) {
                let gatewayURL = await gatewayURLs.first { _ in true } ?? ""
                var configuration = configuration
                configuration.gatewayURL = gatewayURL
                let environment = RolloutEnvironment(configuration, agent: agent)
                let (ports, environmentReady) = AsyncStream<Int>.makeStream()
                let server = server(of: environment) { environmentReady.yield($0) }
                return try await running([server, environment]) {
                    let port = await ports.first { _ in true } ?? 0
                    return try await body(
                        Loop(gatewayURL: gatewayURL, environmentURL: "http://127.0.0.1:\(port)", model: model))
                }
            }
        }
    }

    static func quietConfiguration() -> RolloutEnvironment.Configuration {
        var configuration = RolloutEnvironment.Configuration()
        configuration.logger = quiet
        configuration.variables = [:]
        configuration.grace = .seconds(1)
        return configuration
    }

    private static let quiet = Logger(label: "integration", factory: { _ in SwiftLogNoOpLogHandler() })

    private static func gateway(
        store folder: URL, upstream: String, whenReady: @escaping @Sendable (Gateway.Address) async -> Void
    ) throws -> Gateway {
        let upstreams = try UpstreamRules(upstream: upstream)
        var configuration = GatewayConfiguration(proxy: ProxyConfiguration(upstreams: upstreams))
        configuration.port = 0
        configuration.grace = .seconds(1)
        let store = try SQLiteTraceStore(path: folder.appending(path: "traces.sqlite").path)
        return Gateway(
            configuration, ledger: TraceLedger(store: store, logger: quiet), logger: quiet, whenReady: whenReady)
    }

    private static func server(
        of environment: RolloutEnvironment, whenReady: @escaping @Sendable (Int) -> Void
    ) -> some ApplicationProtocol {
        let router = Router()
        environment.addRoutes(to: router)
        return Application(
            router: router, configuration: .init(address: .hostname("127.0.0.1", port: 0), backlog: 4096),
            onServerRunning: { whenReady($0.localAddress?.port ?? 0) }, logger: quiet)
    }

    /// Runs `body` while the services run, then shuts them down gracefully.
    private static func running<Result: Sendable>(
        _ services: [any Service], body: @escaping @Sendable () async throws -> Result
    ) async throws -> Result {
        let group = ServiceGroup(
            configuration: .init(
                services: services.map { .init(service: $0, successTerminationBehavior: .ignore) }, logger: quiet))
        return try await withThrowingTaskGroup(of: Void.self) { tasks in
            tasks.addTask { try await group.run() }
            do {
                let result = try await body()
                await group.triggerGracefulShutdown()
                try await tasks.waitForAll()
                return result
            } catch {
                await group.triggerGracefulShutdown()
                throw error
            }
        }
    }
}
