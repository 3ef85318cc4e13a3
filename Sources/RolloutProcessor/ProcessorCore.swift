// Part of Rollcall. SPDX-License-Identifier: Apache-2.0

import AsyncHTTPClient
import EvalProtocol
import Synchronization

/// What the rollouts of one processor share.
final class ProcessorCore: Sendable {
    static let cancelTimeout = Duration.seconds(3)
    static let checkTimeout = Duration.seconds(5)
    private static let traceReaders = 16
    /// The gateway ends an attempt this much later than the caller, who knows better what to say of it.
    private static let deadlineMargin = Duration.seconds(10)

    let configuration: RolloutProcessor.Configuration
    let environment: EnvironmentClient
    let gateway: GatewayAccess
    let feed: StatusFeed
    let registrar: Registrar
    /// Bounds the open `/init` calls: those that the connection pool cannot serve would time out waiting for it.
    let initGate: Gate
    /// Bounds the trajectories that are being read, each of which may be large.
    let traceGate = Gate(width: traceReaders)

    let invocationID = Identifier.random()
    let experimentID = Identifier.random()
    let runID = Identifier.random()

    private let running = Mutex<[Int: Task<Void, Never>]>([:])

    init(
        configuration: RolloutProcessor.Configuration, environmentURL: String, gateway: GatewayAccess, http: HTTPClient
    ) {
        self.configuration = configuration
        self.gateway = gateway
        environment = EnvironmentClient(
            http: http, baseURL: environmentURL, key: configuration.environmentKey, modelKey: configuration.apiKey)
        feed = StatusFeed(gateway: gateway, experimentID: experimentID, pollInterval: configuration.pollInterval)
        registrar = Registrar(gateway: gateway, deadline: configuration.timeout + Self.deadlineMargin)
        initGate = Gate(width: min(max(1, configuration.maximumConnections), 512))
    }

    /// A rollout id that none of this processor's rollouts in flight has.
    func makeRolloutID() -> String {
        while true {
            let id = Identifier.random()
            if !feed.isWatching(id) { return id }
        }
    }

    /// Runs `body` in a task that ends with the processor's scope at the latest.
    func launch(_ body: @escaping @Sendable () async -> Void) -> Task<Void, Never> {
        running.withLock { running in
            let number = (running.keys.max() ?? 0) + 1
            // The task removes itself under the lock that is held here, so never before it is entered.
            let task = Task {
                await body()
                self.running.withLock { $0[number] = nil }
            }
            running[number] = task
            return task
        }
    }

    /// Ends what callers have left running.
    func shutDown() async {
        let tasks = running.withLock { Array($0.values) }
        for task in tasks { task.cancel() }
        for task in tasks { await task.value }
    }
}
