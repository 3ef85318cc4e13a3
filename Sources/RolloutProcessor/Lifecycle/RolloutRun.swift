// Part of Rollcall. SPDX-License-Identifier: Apache-2.0

import EvalProtocol
import WireJSON

/// Carries out what one rollout's lifecycle asks for.
struct RolloutRun {
    private typealias Event = RolloutLifecycle.Event

    private let core: ProcessorCore
    private let original: EvaluationRow
    private let parameters: CompletionParameters
    private let rowID: String
    private let runID: String

    init(core: ProcessorCore, task: RolloutTask) {
        self.core = core
        original = task.row
        rowID = RowIdentity.rowID(of: task.row)
        runID = task.runID ?? core.runID
        parameters = InitRequestBuilder.parameters(task.parameters, row: task.row)
    }

    /// - Throws: `CancellationError` only.
    func run() async throws -> EvaluationRow {
        var triggeredAt = ContinuousClock.now
        guard let ending = await live(&triggeredAt) else { throw CancellationError() }
        let duration = ContinuousClock.now - triggeredAt
        report(.ended(ending.status), of: ending.execution)
        let outcome = RolloutOutcome(
            ending: ending, metadata: metadata(of: ending.execution), parameters: parameters, duration: duration,
            includePayloads: core.configuration.includePayloads)
        do {
            let traces = try await core.traceGate.pass { try await core.gateway.traces(of: ending.execution.rolloutID) }
            return outcome.apply(to: original, traces: traces)
        } catch {
            try Task.checkCancellation()
            return outcome.apply(to: original, unreadable: "\(error)")
        }
    }

    /// Runs the lifecycle to its end; `nil` when the task was cancelled.
    ///
    /// - Parameter triggeredAt: When the execution that counts was triggered.
    private func live(_ triggeredAt: inout ContinuousClock.Instant) async -> RolloutEnding? {
        let core = core
        var lifecycle = RolloutLifecycle(
            rolloutID: core.makeRolloutID(), policy: core.configuration.retries, timeout: core.configuration.timeout,
            makeRolloutID: { core.makeRolloutID() })
        let (events, inbox) = AsyncStream<(serial: Int?, event: Event)>.makeStream(bufferingPolicy: .unbounded)
        var watched: RolloutExecution?
        var cancelled: [RolloutExecution] = []

        let ending: RolloutEnding? = await withDiscardingTaskGroup { group in
            defer { group.cancelAll() }
            let timeout = core.configuration.timeout
            group.addTask {
                guard (try? await Task.sleep(for: timeout)) != nil else { return }
                inbox.yield((nil, .deadline))
            }
            report(.begun, of: lifecycle.execution)
            inbox.yield((nil, .start))
            for await (serial, event) in events {
                if serial == nil || serial == lifecycle.execution.serial { report(event, of: lifecycle.execution) }
                let before = lifecycle.execution.rolloutID
                let actions = lifecycle.handle(event, of: serial, random: .random(in: 0...1))
                if lifecycle.execution.rolloutID != before {
                    report(.replaced(rolloutID: before), of: lifecycle.execution)
                }
                for action in actions {
                    let execution = lifecycle.execution
                    let serial = execution.serial
                    switch action {
                    case .register:
                        let metadata = metadata(of: execution)
                        group.addTask {
                            inbox.yield((serial, .registration(await core.registrar.register(metadata))))
                        }
                    case .trigger:
                        if let watched, watched.serial != serial { core.feed.unwatch(watched) }
                        watched = execution
                        core.feed.watch(execution) { inbox.yield((serial, .status($0, extras: $1))) }
                        triggeredAt = .now
                        report(.triggered(attempt: lifecycle.tries), of: execution)
                        let body = initRequest(of: execution)
                        group.addTask {
                            let answer = try? await core.initGate.pass {
                                await core.environment.trigger(body, within: timeout + .seconds(5))
                            }
                            if let answer { inbox.yield((serial, answer)) }
                        }
                    case .check:
                        group.addTask {
                            let report = await core.gateway.check(execution, within: ProcessorCore.checkTimeout)
                            inbox.yield((serial, .checked(report?.status, extras: report?.extras)))
                        }
                    case .wait(let pause):
                        report(.retrying(pause: pause), of: execution)
                        group.addTask {
                            guard (try? await Task.sleep(for: pause)) != nil else { return }
                            inbox.yield((serial, .waited))
                        }
                    case .cancel(let execution) where execution.serial == serial:
                        // The rollout ends with it, and the group must not take the request along.
                        cancelled.append(execution)
                    case .cancel(let execution):
                        group.addTask {
                            await core.environment.cancel(execution, within: ProcessorCore.cancelTimeout)
                        }
                    case .end(let ending):
                        return ending
                    }
                }
            }
            if lifecycle.tries > 0 { cancelled.append(lifecycle.execution) }
            return nil
        }
        if let watched { core.feed.unwatch(watched) }
        await cancel(cancelled)
        return ending
    }

    /// Tells environments to stop, in a task of its own since this one may be cancelled already.
    private func cancel(_ executions: [RolloutExecution]) async {
        guard !executions.isEmpty else { return }
        let environment = core.environment
        await Task {
            for execution in executions { await environment.cancel(execution, within: ProcessorCore.cancelTimeout) }
        }.value
    }

    private func metadata(of execution: RolloutExecution) -> RolloutMetadata {
        RolloutMetadata(
            invocationID: core.invocationID, experimentID: core.experimentID, rolloutID: execution.rolloutID,
            runID: runID, rowID: rowID, attempt: execution.attempt)
    }

    private func initRequest(of execution: RolloutExecution) -> [UInt8] {
        InitRequestBuilder.request(
            row: original, parameters: parameters, metadata: metadata(of: execution),
            gatewayURL: core.gateway.baseURL, apiKey: core.configuration.apiKey
        ).serialized()
    }

    private func report(_ event: Event, of execution: RolloutExecution) {
        switch event {
        case .answered(let code, _, _) where code < 400: report(.accepted, of: execution)
        case .status(let status, _) where !status.isTerminal: report(.running, of: execution)
        default: break
        }
    }

    private func report(_ stage: RolloutProgress.Stage, of execution: RolloutExecution) {
        core.configuration.onProgress?(RolloutProgress(rowID: rowID, rolloutID: execution.rolloutID, stage: stage))
    }
}
