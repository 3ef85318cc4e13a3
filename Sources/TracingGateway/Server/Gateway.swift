// Part of Rollcall. SPDX-License-Identifier: Apache-2.0

import Hummingbird
import HummingbirdCore
package import Logging
import ModelProxy
package import NIOCore
import NIOPosix
package import PrometheusMetrics
import ServiceLifecycle
package import TraceStore

/// The gateway: model calls, logs, status, traces and events on one port, over one ledger.
package struct Gateway: Service {
    /// Where a gateway can be reached.
    package struct Address: Sendable {
        /// What clients are to be given: `http://localhost:8787`.
        package let url: String
        package let port: Int
        /// Every socket's own address.
        package let sockets: [String]
    }

    /// Somebody who looks how the gateway stands.
    package typealias Watch = @Sendable (_ figures: @escaping @Sendable () -> GatewayFigures) async -> Void

    private let configuration: GatewayConfiguration
    private let ledger: TraceLedger
    private let group: any EventLoopGroup
    private let logger: Logger
    private let metrics: PrometheusRegistry
    private let whenReady: @Sendable (Address) async -> Void
    private let watch: Watch?

    /// - Parameters:
    ///   - ledger: what is recorded to; the gateway finishes it when it ends.
    ///   - metrics: what `/metrics` shows; the ledger should tell it what happens, too.
    ///   - whenReady: called once the gateway listens.
    ///   - watch: runs from then on for as long as the gateway serves, and is cancelled then.
    package init(
        _ configuration: GatewayConfiguration, ledger: TraceLedger,
        group: any EventLoopGroup = MultiThreadedEventLoopGroup.singleton, logger: Logger,
        metrics: PrometheusRegistry = PrometheusRegistry(),
        whenReady: @escaping @Sendable (Address) async -> Void = { _ in }, watch: Watch? = nil
    ) {
        self.configuration = configuration
        self.ledger = ledger
        self.group = group
        self.logger = logger
        self.metrics = metrics
        self.watch = watch
        self.whenReady = whenReady
    }

    /// Serves until a graceful shutdown: no new connections, waits and event streams end, running requests get
    /// ``GatewayConfiguration/grace`` to end, and what has been taken is committed.
    package func run() async throws {
        guard configuration.isAllowed else {
            await ledger.finish()
            throw GatewayStartError.needsKeys(configuration.host)
        }
        do {
            try await ledger.resumeWatch()
        } catch {
            await ledger.finish()
            throw error
        }
        let proxy = ModelProxy(
            configuration.proxy, ledger: ledger, group: group, logger: logger, metrics: metrics)
        let registry = ConnectionRegistry(limit: configuration.connections.connections)
        do {
            let sockets = try await ListeningSockets.bind(
                host: configuration.host, port: configuration.port,
                channel: GatewayChannel(
                    responder: responder(proxy, registry), proxy: proxy, limits: configuration.connections),
                registry: registry, group: group, logger: logger)
            await serve(sockets, registry, proxy)
        } catch {
            await proxy.shutdown()
            await ledger.finish()
            throw error
        }
        await proxy.shutdown()
        await ledger.finish()
    }

    private func serve(_ sockets: ListeningSockets, _ registry: ConnectionRegistry, _ proxy: ModelProxy) async {
        let url = "http://\(configuration.isReachedAsLocalhost ? "localhost" : configuration.host):\(sockets.port)"
        await whenReady(Address(url: url, port: sockets.port, sockets: sockets.addresses))
        await withTaskGroup(of: Void.self) { tasks in
            tasks.addTask { await sockets.serve(logger: logger) }
            let timekeeper = Timekeeper(ledger: ledger, group: group)
            tasks.addTask { await timekeeper.run() }
            if let watch { tasks.addTask { await watch { figures(proxy) } } }
            if let duration = configuration.retention {
                let retention = Retention(duration: duration, ledger: ledger, logger: logger)
                tasks.addTask { await retention.run() }
            }
            tasks.addTask {
                guard (try? await gracefulShutdown()) != nil else {
                    sockets.close()
                    _ = registry.cut()
                    return
                }
                sockets.close()
                registry.drain()
                guard (try? await Task.sleep(for: configuration.grace)) != nil else { return }
                let cut = registry.cut()
                if cut > 0 { logger.warning("The grace period is over; \(cut) connections were cut") }
            }
            await tasks.next()
            tasks.cancelAll()
        }
    }

    private func figures(_ proxy: ModelProxy) -> GatewayFigures {
        let sizes = ledger.storeSizes
        return GatewayFigures(
            callsInFlight: proxy.callsInFlight, totals: ledger.totals, pendingRecords: ledger.held.records,
            storeBytes: sizes.database + sizes.log, health: ledger.health)
    }

    private func responder(_ proxy: ModelProxy, _ connections: ConnectionRegistry) -> HTTPChannelHandler.Responder {
        var table = RouteTable()
        LogRoutes(ledger: ledger, limits: configuration.routes).add(to: &table)
        let statuses = StatusRoutes(ledger: ledger, limits: configuration.routes)
        statuses.add(to: &table)
        TraceRoutes(ledger: ledger, limits: configuration.routes).add(to: &table)
        let events = EventRoutes(ledger: ledger, limits: configuration.routes, logger: logger)
        events.add(to: &table)
        RolloutRoutes(ledger: ledger, limits: configuration.routes).add(to: &table)
        ScoreRoutes(ledger: ledger, limits: configuration.routes).add(to: &table)
        HealthRoutes(ledger: ledger).add(to: &table)
        MetricsRoutes(
            metrics, ledger: ledger, proxy: proxy, connections: connections, waiting: statuses.waiting,
            eventStreams: events.streams
        ).add(to: &table)
        DescriptionRoutes(keys: configuration.proxy.keys).add(to: &table)
        let router = Router(context: GatewayContext.self)
        router.add(
            middleware: RequestFrame(table, keys: configuration.proxy.keys, logger: logger, metrics: metrics))
        table.register(with: router)
        let responder = router.buildResponder()
        let logger = logger
        let incomingBytes = proxy.incomingBytes
        return { request, writer, channel in
            let context = GatewayContext(
                source: .init(channel: channel, logger: logger, incomingBytes: incomingBytes))
            let response = try await responder.respond(to: request, context: context)
            try await writer.write(response: response.head, body: response.body)
        }
    }
}

extension Gateway: CustomStringConvertible {
    /// Without the configuration: whoever runs services logs them, and there are keys in it.
    package var description: String { "gateway on \(configuration.host), port \(configuration.port)" }
}
