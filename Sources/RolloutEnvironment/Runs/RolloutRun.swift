// Part of Rollcall. SPDX-License-Identifier: Apache-2.0

import EvalProtocol
import Logging
import RolloutTracing
import Synchronization
import Tracing
import WireJSON

/// One execution: runs the agent and reports how it ended.
final class RolloutRun: Sendable {
    let key: RolloutRegistry.Key
    let context: RolloutContext
    private struct End: Sendable {
        var status: Status
        var at: ContinuousClock.Instant
    }

    private let rollout: Rollout
    private let agent: RolloutEnvironment.Agent
    private let reporter: any RolloutReporter
    private let secrets: Secrets
    private let gate: ModelCallGate
    private let journal: Journal?
    private let metrics: EnvironmentMetrics
    private let span: RolloutSpan
    private let watch: PoolWatch
    private let accepted = ContinuousClock.now
    private let start = Mutex<ContinuousClock.Instant?>(nil)
    private let end = Mutex<End?>(nil)
    private let hasEnded = Latch()

    init(
        rollout: Rollout, context: RolloutContext, agent: @escaping RolloutEnvironment.Agent,
        reporter: any RolloutReporter, secrets: Secrets, gate: ModelCallGate,
        journal: Journal?, metrics: EnvironmentMetrics, span: RolloutSpan, watch: PoolWatch
    ) {
        key = RolloutRegistry.Key(rolloutID: rollout.metadata.rolloutID, attempt: rollout.attempt)
        self.rollout = rollout
        self.context = context
        self.agent = agent
        self.reporter = reporter
        self.secrets = secrets
        self.gate = gate
        self.journal = journal
        self.metrics = metrics
        self.span = span
        self.watch = watch
    }

    /// Runs the agent and waits for the last byte of its model calls.
    func execute(deadline: ContinuousClock.Instant?) async -> Status {
        let now = ContinuousClock.now
        start.withLock { $0 = now }
        metrics.started(after: now - accepted)
        span.agentStarts()
        var rollout = self.rollout
        rollout.deadline = deadline
        let given = rollout
        let status: Status
        do {
            let returned = try await RolloutContext.$current.withValue(context) {
                try await InstrumentationContext.withValue(span.context) {
                    try await withLogger(given.logger) { _ in try await watch.watching { try await agent(given) } }
                }
            }
            status = .ended(returned, secrets: secrets)
        } catch {
            status = .thrown(error, secrets: secrets)
        }
        await gate.close(waiting: .seconds(5))
        return status
    }

    /// Keeps the end from being reported while the pass is held; `nil` when the agent has returned.
    func holdEnd() -> ModelCallGate.Pass? { try? gate.enter() }

    /// Lets no further model call begin: the rollout's end is decided.
    func shutGate() { gate.shut() }

    /// Reports the terminal status. A superseded attempt keeps silent before a gateway that does not tell attempts
    /// apart, since there its end would be taken for the new attempt's.
    func report(_ status: Status) {
        gate.shut()
        let now = ContinuousClock.now
        metrics.ended(status, after: start.withLock { $0 }.map { now - $0 })
        span.end(status)
        defer {
            end.withLock { $0 = End(status: status, at: now) }
            hasEnded.open()
        }
        if FailureReason(status) == .superseded,
            !reporter.knowsAttempts(origin: context.destination?.origin ?? "")
        {
            journal?.append(.forgotten(key))
            return
        }
        journal?.append(.ended(key, status))
        reporter.reportEnd(status, for: context)
    }

    /// The terminal status once it is reported; `nil` when the waiting task is cancelled before.
    func awaitEnd() async -> Status? {
        await hasEnded.wait()
        return end.withLock { $0?.status }
    }

    /// Logs how the rollout ended, for those who look after the environment.
    func logEnd(to logger: Logger) {
        guard let end = end.withLock({ $0 }) else { return }
        let begin = start.withLock { $0 } ?? end.at
        logger.ended(
            key, end.status,
            [
                "duration_seconds": "\((end.at - begin) / .seconds(1))",
                "queued_seconds": "\((begin - accepted) / .seconds(1))",
            ])
    }
}
