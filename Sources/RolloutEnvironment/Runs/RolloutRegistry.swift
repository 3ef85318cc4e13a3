// Part of Rollcall. SPDX-License-Identifier: Apache-2.0

import EvalProtocol
import Logging
import NIOCore
import RolloutTracing
import Synchronization

/// The environment's executions: the state machine under a lock, and their tasks.
package final class RolloutRegistry: Sendable {
    private struct State {
        var machine: StateMachine
        var runs: [Key: RolloutRun] = [:]
        var tasks: [Key: Task<Void, Never>] = [:]
        var admissions: [Key: Task<InitOutcome, Never>] = [:]
        var timers: [Key: Scheduled<Void>] = [:]
        /// Whose ends are still to be logged.
        var ended: [RolloutRun] = []
    }

    private let state: Mutex<State>
    /// Opens when nothing lives after the drain has begun.
    private let isEmpty = Latch()
    private let cancellationGrace: Duration
    // Deadlines are kept here and not in tasks: an agent that blocks the threads of tasks must not outlive its own.
    private let loop: any EventLoop
    private let logger: Logger

    init(_ machine: StateMachine, cancellationGrace: Duration, loop: any EventLoop, logger: Logger) {
        state = Mutex(State(machine: machine))
        self.cancellationGrace = cancellationGrace
        self.loop = loop
        self.logger = logger
    }

    /// Changes the state, and then logs without the lock what has ended by it: a log may take its time.
    private func change<Result: Sendable>(_ body: (inout State) -> Result) -> Result {
        let (result, ended) = state.withLock { state in
            let result = body(&state)
            defer { state.ended = [] }
            return (result, state.ended)
        }
        for run in ended { run.logEnd(to: logger) }
        return result
    }

    struct Counts: Sendable {
        var running: Int
        var queued: Int
        var abandoned: Int
        var isDraining: Bool
    }

    var counts: Counts {
        state.withLock { state in
            Counts(
                running: state.machine.runningCount, queued: state.machine.queuedCount,
                abandoned: state.machine.abandonedCount, isDraining: state.machine.isDraining)
        }
    }

    /// Of the executions that run or wait for a place.
    var contexts: [RolloutContext] { state.withLock { $0.runs.values.map(\.context) } }

    func status(of rolloutID: String) -> (attempt: AttemptID, status: Status)? {
        state.withLock { $0.machine.status(of: rolloutID) }
    }

    // MARK: Beginning

    enum Admission: Sendable {
        /// The task, begun under the lock, brings what became of the `/init` that came first.
        case begun(Task<InitOutcome, Never>)
        case running(Key, RolloutRun?)
        case ended(Key, Status)
        case full
        case draining
    }

    /// Admits, joins or refuses; `admission` makes the task of a new execution.
    func admit(
        _ rolloutID: String, attempt: AttemptID?, anew: Bool, terms: ExecutionTerms,
        admission: (Key) -> Task<InitOutcome, Never>
    ) -> Admission {
        state.withLock { state in
            let fresh = AttemptID.random()
            let decision =
                anew
                ? state.machine.admitAnew(rolloutID, fresh: fresh, terms: terms)
                : state.machine.admit(rolloutID, attempt: attempt, fresh: fresh, terms: terms)
            switch decision {
            case .begin(let key):
                let task = admission(key)
                state.admissions[key] = task
                return .begun(task)
            case .join(let key, isAdmitted: true):
                if let task = state.admissions[key] { return .begun(task) }
                return .running(key, nil)
            case .join(let key, isAdmitted: false): return .running(key, state.runs[key])
            case .ended(let key, let status): return .ended(key, status)
            case .full: return .full
            case .draining: return .draining
            }
        }
    }

    /// RUNNING is delivered: starts or queues the run, and stops the rollout's others.
    ///
    /// - Returns: The status it ended with already, if it did.
    func begin(_ run: RolloutRun, stopped: Status) -> Status? {
        let key = run.key
        let (ended, superseded) = state.withLock { state in
            state.admissions[key] = nil
            let confirmation = state.machine.confirm(key, stopped: stopped, now: .now)
            switch confirmation {
            case .ended(let status):
                openIfEmpty(state.machine)
                return (status, [Key]()) as (Status?, [Key])
            case .run(let superseded):
                state.runs[key] = run
                start(run, &state)
                return (nil, superseded)
            case .queue(let superseded):
                state.runs[key] = run
                watch(key, &state)
                return (nil, superseded)
            }
        }
        for key in superseded {
            stop(key, FailureReason.superseded.status("Another attempt of the rollout has begun."))
        }
        return ended
    }

    func withdraw(_ key: Key) {
        state.withLock { state in
            state.admissions[key] = nil
            state.machine.withdraw(key)
            openIfEmpty(state.machine)
        }
    }

    func recordEnded(_ key: Key, _ status: Status) {
        state.withLock { state in
            state.admissions[key] = nil
            state.machine.recordEnded(key, status)
            openIfEmpty(state.machine)
        }
    }

    // Called under the lock, so that a run that ends at once finds itself noted.
    private func start(_ run: RolloutRun, _ state: inout State) {
        let deadline = state.machine.deadline(of: run.key)?.at
        state.tasks[run.key] = Task {
            let status = await run.execute(deadline: deadline)
            self.finished(run, status)
        }
        watch(run.key, &state)
    }

    /// Sets the timer for the execution's deadline.
    private func watch(_ key: Key, _ state: inout State) {
        state.timers.removeValue(forKey: key)?.cancel()
        guard let deadline = state.machine.deadline(of: key) else { return }
        state.timers[key] = schedule(in: ContinuousClock.now.duration(to: deadline.at)) { registry in
            registry.expire(key)
        }
    }

    private func schedule(
        in delay: Duration, _ action: @escaping @Sendable (RolloutRegistry) -> Void
    ) -> Scheduled<Void> {
        // A year is as good as for ever, and fits.
        loop.scheduleTask(in: TimeAmount(min(max(delay, .zero), .seconds(365 * 86_400)))) { [weak self] in
            if let self { action(self) }
        }
    }

    // MARK: Ending

    private func finished(_ run: RolloutRun, _ status: Status) {
        let wasAbandoned = change { state in
            let finish = state.machine.finish(run.key, status, now: .now)
            state.tasks[run.key] = nil
            if let final = finish.status { report(run.key, final, &state) }
            for (key, status) in finish.expired { report(key, status, &state) }
            if let next = finish.next, let run = state.runs[next] { start(run, &state) }
            openIfEmpty(state.machine)
            return finish.wasAbandoned
        }
        if wasAbandoned { logger.notice("an agent that was given up has returned", metadata: run.key.logMetadata) }
    }

    // Called under the lock: whoever sees the receipt finds the status on its way.
    private func report(_ key: Key, _ status: Status, _ state: inout State) {
        state.timers.removeValue(forKey: key)?.cancel()
        guard let run = state.runs.removeValue(forKey: key) else { return }
        run.report(status)
        state.ended.append(run)
    }

    /// Ends an execution whose deadline has come.
    private func expire(_ key: Key) {
        let status = state.withLock { state in
            let status = state.machine.expiry(of: key, now: .now)
            // The two clocks may be apart by a little.
            if status == nil { watch(key, &state) }
            return status
        }
        if let status { stop(key, status) }
    }

    /// Ends an execution with `status`, whatever its agent says.
    func stop(_ key: Key, _ status: Status) {
        let task = change { state in
            switch state.machine.stop(key, status) {
            case .nothing, .noted: return nil as Task<Void, Never>?
            case .ended(let status):
                report(key, status, &state)
                openIfEmpty(state.machine)
                return nil
            case .cancel:
                state.runs[key]?.shutGate()
                state.timers.removeValue(forKey: key)?.cancel()
                state.timers[key] = schedule(in: cancellationGrace) { registry in
                    registry.giveUp(key, after: registry.cancellationGrace)
                }
                return state.tasks[key]
            }
        }
        task?.cancel()
    }

    private func giveUp(_ key: Key, after wait: Duration) {
        let isGivenUp = change { state in
            guard let status = state.machine.giveUp(key) else { return false }
            report(key, status, &state)
            openIfEmpty(state.machine)
            return true
        }
        guard isGivenUp else { return }
        logger.error(
            "an agent has not returned \(wait) after its task was cancelled; the rollout's end is reported without it, and it keeps its place until it returns: let it check for cancellation",
            metadata: key.logMetadata)
    }

    /// Stops what a `/cancel` means.
    func cancel(_ rolloutID: String, attempt: AttemptID?, with status: Status) -> StateMachine.Cancellation {
        let (keys, result) = state.withLock { $0.machine.cancellation(rolloutID, attempt: attempt) }
        for key in keys { stop(key, status) }
        return result
    }

    /// Stops everything.
    func cancelAll(with status: Status) -> [Key] {
        let keys = state.withLock { $0.machine.liveKeys }
        for key in keys { stop(key, status) }
        return keys
    }

    /// Admits nothing more, lets what runs end within `grace`, and cuts the rest.
    func drain(grace: Duration) async {
        let status = FailureReason.environmentStopped.status("The environment was stopped.")
        change { state in
            for key in state.machine.drain(status) { report(key, status, &state) }
            openIfEmpty(state.machine)
        }
        if await isEmpty.wait(within: grace) { return }
        _ = cancelAll(with: status)
        if await isEmpty.wait(within: .seconds(1)) { return }
        for key in state.withLock({ $0.machine.liveKeys }) { giveUp(key, after: .seconds(1)) }
    }

    private func openIfEmpty(_ machine: StateMachine) {
        if machine.isDraining, machine.liveCount == 0 { isEmpty.open() }
    }
}
