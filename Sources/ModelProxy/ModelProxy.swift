// Part of Rollcall. SPDX-License-Identifier: Apache-2.0

package import CoreMetrics
package import Logging
package import NIOCore
import Synchronization
package import TraceStore

/// The gateway's hot path: passes model calls to their upstreams and records them before they are answered.
package final class ModelProxy: Sendable {
    private let configuration: ProxyConfiguration
    private let ledger: TraceLedger
    private let logger: Logger
    private let tls: TLSContext
    private let metrics: ProxyMetrics
    private let calls: CallsInFlight
    /// Bytes of the bodies that are coming in, for whoever else takes bodies in the same process.
    package let incomingBytes: IncomingBytes
    private let loops = Mutex<[ObjectIdentifier: NIOLoopBound<LoopServices>]>([:])

    package init(
        _ configuration: ProxyConfiguration, ledger: TraceLedger, group: any EventLoopGroup, logger: Logger,
        metrics: any MetricsFactory = NOOPMetricsHandler.instance
    ) {
        self.configuration = configuration
        self.ledger = ledger
        self.logger = logger
        tls = TLSContext(configuration.tls)
        self.metrics = ProxyMetrics(metrics)
        calls = CallsInFlight(limits: configuration.calls)
        incomingBytes = IncomingBytes(maximum: configuration.maximumIncomingBytes)
    }

    /// Sets a client's connection up, to be called on its loop: model calls are answered here, every other request comes
    /// out at the end, as NIO's parts, and its answer is written to there.
    package func addHandler(to channel: any Channel, limits: ConnectionLimits) throws {
        try channel.pipeline.syncOperations.addHandler(ClientConnection(limits, services(on: channel.eventLoop)))
    }

    private func services(on loop: any EventLoop) -> LoopServices {
        loop.preconditionInEventLoop()
        return loops.withLock { loops in
            if let services = loops[ObjectIdentifier(loop)] { return services }
            let new = NIOLoopBound(
                LoopServices(
                    loop: loop, configuration: configuration, ledger: ledger, tls: tls, logger: logger,
                    metrics: metrics, callsInFlight: calls, incomingBytes: incomingBytes),
                eventLoop: loop)
            loops[ObjectIdentifier(loop)] = new
            return new
        }.value
    }

    /// Calls whose request has come and whose end has not.
    package var callsInFlight: Int { calls.total }

    /// Those that wait for a connection to their upstream, as ten times a second seen.
    package var callsWaiting: Int { metrics.waitingForUpstream }

    /// Closes the idle connections to upstreams, and from here on each one that has served its call.
    package func shutdown() async {
        let all = loops.withLock { Array($0.values) }
        for services in all {
            // Fails only on a loop that has been shut down, and its connections with it.
            try? await services.eventLoop.submit { services.value.shutDown() }.get()
        }
    }
}
