// Part of Rollcall. SPDX-License-Identifier: Apache-2.0

import ArgumentParser
import EvalProtocol
import Foundation
import Logging
import ModelProxy
import NIOCore
import NIOPosix
import PrometheusMetrics
import SQLiteTraceStore
import ServiceLifecycle
import TraceStore
import TracingGateway
import UnixSignals

/// `rollcall gateway`: takes settings, starts the gateway, and says where it is.
struct GatewayCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "gateway",
        abstract: "Pass model calls on, record them durably, and keep the logs and statuses of rollouts.",
        discussion: """
            Every flag can be given as a variable too; the flag wins. When the gateway listens, it prints one line of \
            JSON with its address on standard output. SIGTERM and SIGINT let running calls end, then it exits with 0.
            """)

    @OptionGroup(title: "Settings") var options: GatewayOptions
    @OptionGroup(title: "Limits") var limits: LimitOptions

    func run() async throws {
        try await CommandFailure.reporting("gateway", serve)
    }

    private func serve() async throws {
        let settings = try GatewaySettings(options, limits, environment: ProcessInfo.processInfo.environment)
        let line = StandingLine()
        let logger = settings.logger(around: line)
        ProcessLimits.useOneEventLoopPerCore()
        ProcessLimits.raiseOpenFiles()
        ProcessLimits.failBeyondFileSize()
        ProcessLimits.returnLargeBuffers()
        let store = try SQLiteTraceStore(path: settings.storePath, limits: settings.store, logger: logger)
        let metrics = PrometheusRegistry()
        let announcement = GatewayAnnouncement(hasKeys: !settings.configuration.proxy.keys.isOpen)
        let gateway = Gateway(
            settings.configuration,
            ledger: TraceLedger(
                store: store, configuration: settings.ledger, logger: logger, metrics: metrics),
            group: MultiThreadedEventLoopGroup.singleton, logger: logger, metrics: metrics,
            whenReady: { announcement.print($0) },
            watch: settings.showsFigures && StandardStreams.noteIsTerminal ? Self.watch(on: line) : nil)
        let services = ServiceGroup(
            configuration: .init(
                services: [.init(service: gateway, successTerminationBehavior: .gracefullyShutdownGroup)],
                gracefulShutdownSignals: [.sigterm, .sigint], logger: logger))
        try await services.run()
    }

    private static func watch(on line: StandingLine) -> Gateway.Watch {
        { figures in await GatewayFiguresLine.run(on: line, figures) }
    }
}
