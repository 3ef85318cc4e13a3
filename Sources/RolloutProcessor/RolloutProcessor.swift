// Part of Rollcall. SPDX-License-Identifier: Apache-2.0

import AsyncHTTPClient
public import EvalProtocol
import NIOCore
import NIOPosix
import NIOSSL

/// The caller's side of rollouts: triggers an environment for each row, waits for its terminal status, and brings the
/// trajectory back from the gateway.
///
///     let configuration = RolloutProcessor.Configuration(
///         environmentURL: "http://localhost:3000", gatewayURL: "http://localhost:8787")
///     try await RolloutProcessor.with(configuration) { processor in
///         let row = EvaluationRow(messages: [.user("What is 6 times 7?")])
///         print(try await processor.process(row, CompletionParameters(model: "small")).messages)
///     }
///
/// A row always comes back: what went wrong is its ``EvaluationRow/rolloutStatus``. Rollouts of one processor share an
/// invocation, an experiment and a run, one connection pool, and one stream of statuses.
public struct RolloutProcessor: Sendable {
    private let core: ProcessorCore

    /// Runs `body` with a processor; connections, the stream of statuses and rollouts left in flight end with it.
    ///
    /// - Throws: ``ConfigurationError`` for URLs that are none and certificates that cannot be read; what `body` throws.
    public static func with<Value: Sendable>(
        _ configuration: Configuration, _ body: (RolloutProcessor) async throws -> Value
    ) async throws -> Value {
        let environmentURL = try BaseURL.normalize(configuration.environmentURL, setting: "environment")
        let gatewayURL = try BaseURL.normalizeGateway(configuration.gatewayURL, setting: "gateway")
        let http = HTTPClient(
            eventLoopGroupProvider: .singleton, configuration: try await httpConfiguration(configuration))
        let gateway = GatewayAccess(
            baseURL: gatewayURL, apiKey: configuration.gatewayKey ?? configuration.apiKey,
            includePayloads: configuration.includePayloads)
        let core = ProcessorCore(
            configuration: configuration, environmentURL: environmentURL, gateway: gateway, http: http)
        let feeding = Task { await core.feed.run() }
        let result: Result<Value, any Error>
        do {
            result = .success(try await body(RolloutProcessor(core: core)))
        } catch {
            result = .failure(error)
        }
        await core.shutDown()
        feeding.cancel()
        await feeding.value
        try? await http.shutdown()
        return try result.get()
    }

    /// Does one rollout.
    ///
    /// - Parameters:
    ///   - parameters: What the model calls shall use; the row's own parameters fill in what is missing here.
    ///   - runID: The run that the rollout belongs to, by default the processor's.
    /// - Returns: The row with its status, and with the trajectory wherever the gateway has one.
    /// - Throws: `CancellationError` only; the environment is then told to stop.
    public func process(
        _ row: EvaluationRow, _ parameters: CompletionParameters, runID: String? = nil
    ) async throws -> EvaluationRow {
        try await RolloutRun(core: core, task: RolloutTask(row: row, parameters: parameters, runID: runID)).run()
    }

    /// Does many rollouts, so many at once.
    ///
    /// - Parameter tasks: Read only as fast as rollouts end and results are taken.
    public func process(
        _ tasks: some AsyncSequence<RolloutTask, any Error> & Sendable, concurrency: Int
    ) -> RolloutResults {
        let core = core
        return RolloutResults(concurrency: concurrency) { queue in
            core.launch { await Self.run(tasks, into: queue, core: core) }
        }
    }

    /// What the gateway knows of a rollout in flight, for people who wonder why nothing happens.
    ///
    /// - Parameters:
    ///   - accepted: Whether `/init` was answered, which ``Configuration/onProgress`` tells.
    public func diagnose(rolloutID: String, triggered: Bool = true, accepted: Bool) async -> RolloutDiagnosis {
        var diagnosis = RolloutDiagnosis(
            rolloutID: rolloutID, environmentURL: BaseURL.shown(core.environment.baseURL),
            gatewayURL: core.gateway.baseURL, triggered: triggered, accepted: accepted)
        await core.gateway.observe(&diagnosis)
        return diagnosis
    }

    private static func run(
        _ tasks: some AsyncSequence<RolloutTask, any Error> & Sendable, into queue: ResultQueue, core: ProcessorCore
    ) async {
        let end: Result<Void, any Error> = await withDiscardingTaskGroup { group in
            do {
                var iterator = tasks.makeAsyncIterator()
                while await queue.takePlace() {
                    guard let task = try await iterator.next() else { return .success(()) }
                    group.addTask {
                        guard let row = try? await RolloutRun(core: core, task: task).run() else {
                            return queue.finish(.failure(CancellationError()))
                        }
                        queue.put(row)
                    }
                }
                group.cancelAll()
                return .failure(CancellationError())
            } catch {
                return .failure(error)
            }
        }
        queue.finish(end)
    }

    private static func httpConfiguration(_ configuration: Configuration) async throws -> HTTPClient.Configuration {
        var http = HTTPClient.Configuration()
        if let path = configuration.environmentCAFile {
            let certificates = try? await NIOThreadPool.singleton.runIfActive {
                try NIOSSLCertificate.fromPEMFile(path)
            }
            guard let certificates, !certificates.isEmpty else {
                throw ConfigurationError(
                    setting: "environmentCAFile", reason: "\(path) cannot be read as certificates in PEM")
            }
            var tls = TLSConfiguration.makeClientConfiguration()
            tls.additionalTrustRoots = [.certificates(certificates)]
            http.tlsConfiguration = tls
        }
        http.timeout.connect = .seconds(3)
        http.connectionPool.idleTimeout = .seconds(4)
        http.connectionPool.concurrentHTTP1ConnectionsPerHostSoftLimit = min(
            max(1, configuration.maximumConnections), 512)
        http.connectionPool.retryConnectionEstablishment = false
        http.httpVersion = .http1Only
        return http
    }
}
