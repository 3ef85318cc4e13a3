// Part of Rollcall. SPDX-License-Identifier: Apache-2.0

import EvalProtocol
import RolloutTracing
import Synchronization
import WireJSON

/// Brings the statuses of all rollouts of one processor to those who wait for them.
///
/// One stream of events serves them all where the gateway has it. Where it has not, the feed asks for each rollout in
/// turn; beside a stream it still asks now and then, so that an event lost on the way costs half a minute and not the
/// whole deadline.
final class StatusFeed: Sendable {
    typealias Delivery = @Sendable (Status, JSONObject?) -> Void

    private struct Watch {
        var execution: RolloutExecution
        var deliver: Delivery
        var askedAt: ContinuousClock.Instant
        var isBeingAsked = false
    }

    private struct State {
        var watches: [String: Watch] = [:]
        /// Until the gateway says that it has none.
        var hasStream = true
        /// Whose turn it is to be asked for.
        var due: ArraySlice<RolloutExecution> = []
        var pollers = 0
        var firstWatch: CheckedContinuation<Void, Never>?
        var hasStarted = false
    }

    private static let safetyInterval = Duration.seconds(30)
    private static let pollers = 32

    private let gateway: GatewayAccess
    private let experimentID: String
    private let pollInterval: Duration
    private let state = Mutex(State())

    init(gateway: GatewayAccess, experimentID: String, pollInterval: Duration) {
        self.gateway = gateway
        self.experimentID = experimentID
        self.pollInterval = pollInterval
    }

    /// Whether somebody waits for this rollout.
    func isWatching(_ rolloutID: String) -> Bool { state.withLock { $0.watches[rolloutID] != nil } }

    func watch(_ execution: RolloutExecution, deliver: @escaping Delivery) {
        let waiter = state.withLock { state in
            state.watches[execution.rolloutID] = Watch(execution: execution, deliver: deliver, askedAt: .now)
            state.hasStarted = true
            return state.firstWatch.take()
        }
        waiter?.resume()
    }

    func unwatch(_ execution: RolloutExecution) {
        state.withLock { state in
            guard state.watches[execution.rolloutID]?.execution.serial == execution.serial else { return }
            state.watches[execution.rolloutID] = nil
        }
    }

    /// Listens until the task is cancelled.
    func run() async {
        await firstWatch()
        await withDiscardingTaskGroup { group in
            group.addTask { await self.listen() }
            group.addTask { await self.poll() }
        }
    }

    private func firstWatch() async {
        await withTaskCancellationHandler {
            await withCheckedContinuation { continuation in
                let isReady = state.withLock { state in
                    if state.hasStarted || Task.isCancelled { return true }
                    state.firstWatch = continuation
                    return false
                }
                if isReady { continuation.resume() }
            }
        } onCancel: {
            state.withLock { $0.firstWatch.take() }?.resume()
        }
    }

    private func deliver(_ report: StatusReport) {
        let delivery = state.withLock { state -> Delivery? in
            guard let watch = state.watches[report.rolloutID], report.concerns(watch.execution) else { return nil }
            return watch.deliver
        }
        delivery?(report.status, report.extras)
    }
}

// MARK: - By events

extension StatusFeed {
    /// Follows the stream, which mends itself; where there is none, leaves the field to ``poll()``.
    private func listen() async {
        do {
            for try await event in gateway.events(experimentID: experimentID) { deliver(StatusReport(event)) }
        } catch {}
        state.withLock { $0.hasStream = false }
    }
}

// MARK: - By asking

extension StatusFeed {
    /// Asks for those whose turn it is, the longest unasked first, so many at a time.
    private func poll() async {
        await withDiscardingTaskGroup { group in
            while !Task.isCancelled {
                try? await Task.sleep(for: pollInterval / 4)
                for _ in 0..<claimPollers() {
                    group.addTask {
                        while !Task.isCancelled, let execution = self.nextDue() { await self.ask(execution) }
                        self.state.withLock { $0.pollers -= 1 }
                    }
                }
            }
        }
    }

    /// Queues all that are due and says how many more pollers that is worth.
    private func claimPollers() -> Int {
        let now = ContinuousClock.now
        return state.withLock { state in
            let interval = state.hasStream ? Self.safetyInterval : pollInterval
            let due = state.watches.values.filter { !$0.isBeingAsked && now - $0.askedAt >= interval }
            for watch in due.sorted(by: { $0.askedAt < $1.askedAt }) {
                state.due.append(watch.execution)
                state.watches[watch.execution.rolloutID]?.isBeingAsked = true
            }
            let more = max(0, min(Self.pollers - state.pollers, state.due.count))
            state.pollers += more
            return more
        }
    }

    private func nextDue() -> RolloutExecution? {
        state.withLock { $0.due.popFirst() }
    }

    private func ask(_ execution: RolloutExecution) async {
        // A status that cannot be read now is asked for again at the next turn.
        if let report = try? await gateway.status(of: execution) { deliver(report) }
        state.withLock { state in
            guard state.watches[execution.rolloutID]?.execution == execution else { return }
            state.watches[execution.rolloutID]?.isBeingAsked = false
            state.watches[execution.rolloutID]?.askedAt = .now
        }
    }
}
