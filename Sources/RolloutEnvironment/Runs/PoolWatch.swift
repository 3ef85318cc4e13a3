// Part of Rollcall. SPDX-License-Identifier: Apache-2.0

import Logging
import NIOCore
import Synchronization

/// Notices while agents work that no task of the process can run, because they block the threads that all tasks share,
/// and says so.
///
/// On an event loop and not in a task, which would not run either.
final class PoolWatch: Sendable {
    private struct State {
        var agents = 0
        var detector: StallDetector
        var timer: RepeatedTask?
        /// That of the agents: tasks of another one may have threads of their own.
        var priority: TaskPriority?
    }

    private static let ticksUntilStall = 10

    private let tick: Duration
    private let loop: any EventLoop
    private let logger: Logger
    private let onStall: @Sendable () -> Void
    private let state: Mutex<State>

    /// - Parameters:
    ///   - limit: So long no task may run before it is said.
    ///   - onStall: Called once for each time that it happens.
    init(limit: Duration, loop: any EventLoop, logger: Logger, onStall: @escaping @Sendable () -> Void) {
        tick = limit / Self.ticksUntilStall
        self.loop = loop
        self.logger = logger
        self.onStall = onStall
        let pause = Int(.seconds(60) / tick)
        state = Mutex(State(detector: StallDetector(limit: Self.ticksUntilStall, pause: pause)))
    }

    /// Runs an agent, and watches the while.
    func watching<Result>(
        _ agent: () async throws -> Result, isolation: isolated (any Actor)? = #isolation
    ) async rethrows -> Result {
        start(Task.currentPriority)
        defer { state.withLock { $0.agents -= 1 } }
        return try await agent()
    }

    private func start(_ priority: TaskPriority) {
        let pause = TimeAmount(tick)
        state.withLock { state in
            state.agents += 1
            state.priority = priority
            guard state.timer == nil else { return }
            state.timer = loop.scheduleRepeatedTask(initialDelay: pause, delay: pause) { [weak self] task in
                guard let self else { return task.cancel() }
                look(task)
            }
        }
    }

    private func look(_ timer: RepeatedTask) {
        let (finding, agents, priority) = state.withLock { state in
            guard state.agents > 0 else {
                timer.cancel()
                state.timer = nil
                return (StallDetector.Finding.nothing, 0, nil as TaskPriority?)
            }
            return (state.detector.tick(), state.agents, state.priority)
        }
        switch finding {
        case .nothing: break
        case .probe: Task(priority: priority) { state.withLock { $0.detector.answered() } }
        case .stalled(let ticks, let isNew, let isToBeSaid):
            if isNew { onStall() }
            guard isToBeSaid else { return }
            let duration = tick * ticks
            logger.warning(
                "no task has run for \(duration): agents block the threads that all tasks share, so that no rollout goes on and no request is answered; let them await, run blocking calls on NIOThreadPool.singleton, or run the agent as a process",
                metadata: ["running": "\(agents)", "blocked_seconds": "\(duration / .seconds(1))"])
        }
    }
}
