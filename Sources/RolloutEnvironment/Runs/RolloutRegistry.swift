// Part of Rollcall. SPDX-License-Identifier: Apache-2.0

import EvalProtocol
import RolloutTracing
import Synchronization

/// The environment's executions: the state machine under a lock, and their tasks.
package final class RolloutRegistry: Sendable {
    private struct State {
        var machine: StateMachine
        var runs: [Key: RolloutRun] = [:]
        var tasks: [Key: Task<Void, Never>] = [:]
        var admissions: [Key: Task<InitAnswer, Never>] = [:]
    }

    private let state: Mutex<State>
    /// Opens when nothing lives after the drain has begun.
    private let isEmpty = Latch()
    private let cancellationGrace: Duration

    init(_ machine: StateMachine, cancellationGrace: Duration) {
        state = Mutex(State(machine: machine))
        self.cancellationGrace = cancellationGrace
    }

    struct Counts: Sendable {
        var running: Int
        var queued: Int
        var isDraining: Bool
    }

    var counts: Counts {
        state.withLock { state in
            Counts(
                running: state.machine.runningCount, queued: state.machine.queuedCount,
                isDraining: state.machine.isDraining)
        }
    }

    /// Of the executions that run or wait for a place.
    var contexts: [RolloutContext] { state.withLock { $0.runs.values.map(\.context) } }

    func status(of rolloutID: String) -> (attempt: AttemptID, status: Status)? {
        state.withLock { $0.machine.status(of: rolloutID) }
    }

    // MARK: Beginning

    enum Admission: Sendable {
        /// The task, begun under the lock, brings the answer of whoever came first.
        case answer(Task<InitAnswer, Never>)
        case running(Key, RolloutRun?)
        case ended(Key, Status)
        case full
        case draining
    }

    /// Admits, joins or refuses; `admission` makes the task of a new execution.
    func admit(
        _ rolloutID: String, attempt: AttemptID?, anew: Bool, admission: (Key) -> Task<InitAnswer, Never>
    ) -> Admission {
        state.withLock { state in
            let fresh = AttemptID.random()
            let decision =
                anew
                ? state.machine.admitAnew(rolloutID, fresh: fresh)
                : state.machine.admit(rolloutID, attempt: attempt, fresh: fresh)
            switch decision {
            case .begin(let key):
                let task = admission(key)
                state.admissions[key] = task
                return .answer(task)
            case .join(let key, isAdmitted: true):
                if let task = state.admissions[key] { return .answer(task) }
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
            let confirmation = state.machine.confirm(key, stopped: stopped)
            switch confirmation {
            case .ended(let status):
                openIfEmpty(state.machine)
                return (status, [Key]()) as (Status?, [Key])
            case .run(let superseded):
                state.runs[key] = run
                state.tasks[key] = start(run)
                return (nil, superseded)
            case .queue(let superseded):
                state.runs[key] = run
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
    private func start(_ run: RolloutRun) -> Task<Void, Never> {
        Task {
            let status = await run.execute()
            self.finished(run, status)
        }
    }

    // MARK: Ending

    private func finished(_ run: RolloutRun, _ status: Status) {
        state.withLock { state in
            let (final, next) = state.machine.finish(run.key, status)
            state.tasks[run.key] = nil
            // Reported under the lock: whoever sees the receipt finds the status on its way.
            if let final { state.runs.removeValue(forKey: run.key)?.report(final) }
            if let next, let run = state.runs[next] { state.tasks[next] = start(run) }
            openIfEmpty(state.machine)
        }
    }

    /// Ends an execution with `status`, whatever its agent says.
    func stop(_ key: Key, _ status: Status) {
        let task = state.withLock { state in
            switch state.machine.stop(key, status) {
            case .nothing, .noted: return nil as Task<Void, Never>?
            case .ended(let status):
                state.runs.removeValue(forKey: key)?.report(status)
                openIfEmpty(state.machine)
                return nil
            case .cancel: return state.tasks[key]
            }
        }
        guard let task else { return }
        task.cancel()
        Task {
            try? await Task.sleep(for: cancellationGrace)
            giveUp(key)
        }
    }

    private func giveUp(_ key: Key) {
        state.withLock { state in
            guard let status = state.machine.giveUp(key) else { return }
            state.runs.removeValue(forKey: key)?.report(status)
            openIfEmpty(state.machine)
        }
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
        state.withLock { state in
            for key in state.machine.drain(status) { state.runs.removeValue(forKey: key)?.report(status) }
            openIfEmpty(state.machine)
        }
        if await isEmpty.wait(within: grace) { return }
        _ = cancelAll(with: status)
        if await isEmpty.wait(within: .seconds(1)) { return }
        for key in state.withLock({ $0.machine.liveKeys }) { giveUp(key) }
    }

    private func openIfEmpty(_ machine: StateMachine) {
        if machine.isDraining, machine.liveCount == 0 { isEmpty.open() }
    }
}
