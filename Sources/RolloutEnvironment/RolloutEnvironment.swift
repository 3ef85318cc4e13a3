// Part of Rollcall. SPDX-License-Identifier: Apache-2.0

public import EvalProtocol
public import Hummingbird
import Logging
import RolloutTracing
public import ServiceLifecycle

/// A server that runs an agent when `POST /init` asks for it.
///
///     let environment = RolloutEnvironment { rollout in
///         let answer = try await rollout.model.complete(rollout.messages)
///         rollout.logger.info("answered with \(answer.message.text.count) characters")
///         return .finished()
///     }
///     try await environment.run(host: "localhost", port: 3000)
///
/// Every accepted rollout ends with one terminal status: what the agent returns, what an error it throws stands for,
/// or what ended it from outside. Copies share their rollouts.
public struct RolloutEnvironment: Service, Sendable {
    /// Works on one rollout. Its task is cancelled when the rollout is.
    public typealias Agent = @Sendable (Rollout) async throws -> Status

    let core: EnvironmentCore

    public init(_ configuration: Configuration = Configuration(), agent: @escaping Agent) {
        core = EnvironmentCore(configuration, agent: agent)
    }

    /// Serves until SIGTERM or SIGINT, then lets running rollouts end within the grace and reports the rest as
    /// UNAVAILABLE.
    ///
    /// When it is ready it says so on standard error for people, and on standard output in one line of JSON with the
    /// address.
    ///
    /// - Parameters:
    ///   - host: `localhost` is 127.0.0.1 and ::1.
    ///   - port: 0 takes a free one.
    /// - Throws: When the address or the journal cannot be had; ``ConfigurationError`` for a path secret or a certificate
    ///   that cannot be used.
    public func run(host: String, port: Int) async throws {
        try core.checkStart()
        // Each rollout may have a caller, a model call and lines on their way.
        OpenFiles.raiseLimit()
        try await EnvironmentServer(environment: self, host: host, port: port).runUntilSignal()
    }

    /// Waits for graceful shutdown, then drains. For those who serve ``addRoutes(to:)`` or
    /// ``handle(_:authorization:)`` themselves: list it after the server, so that it drains before the server stops.
    public func run() async throws {
        try core.checkStart()
        // To be cancelled is the other way to be told to stop.
        try? await gracefulShutdown()
        let logger = core.configuration.logger
        let counts = core.registry.counts
        logger.info("stopping with \(counts.running) rollouts running and \(counts.queued) waiting")
        await core.registry.drain(grace: core.configuration.grace)
        let lost = await core.delivery.flush(within: core.configuration.flushTimeout)
        await core.journal?.flush()
        if lost > 0 {
            logger.error("\(lost) lines and statuses could not be delivered within \(core.configuration.flushTimeout)")
        }
    }

    /// Answers `POST /init`, for any web framework.
    ///
    /// The rollout goes on in the background, so the process has to live on; where it may be stopped or frozen after the
    /// answer, as serverless functions are, set ``Configuration/answering`` to ``Configuration/Answering/onceEnded``:
    ///
    ///     var configuration = RolloutEnvironment.Configuration()
    ///     configuration.answering = .onceEnded
    ///     let environment = RolloutEnvironment(configuration, agent: agent)
    ///     // For each request:
    ///     let answer = await environment.handle(body, authorization: header)
    ///
    /// The answer then comes when the rollout has ended and the gateway has all its lines. It is 200 however the rollout
    /// ended, since callers learn that from the gateway and take other answers for failures of the environment.
    ///
    /// - Parameters:
    ///   - body: The request's body.
    ///   - authorization: Its `Authorization` header.
    public func handle(_ body: [UInt8], authorization: String? = nil) async -> InitAnswer {
        await core.initialize(body, authorization: authorization)
    }

    /// Adds `POST /init`, `POST /cancel`, `GET /status`, `GET /health`, `GET /metrics` and `GET /openapi.json`, which
    /// describes them, to a Hummingbird router, or to a group of it. The router's `/` stays its own. With a
    /// ``Configuration/pathSecret`` they stand behind it, and TLS is the application's own affair.
    public func addRoutes<Context: RequestContext>(to router: some RouterMethods<Context>) {
        EnvironmentRoutes(core: core, servesRoot: false).add(to: router)
    }
}
