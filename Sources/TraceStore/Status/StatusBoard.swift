// Part of Rollcall. SPDX-License-Identifier: Apache-2.0

import Synchronization

/// The states of the rollouts last used, in memory, and those who wait for one of them to change.
package final class StatusBoard: Sendable {
    package typealias Condition = @Sendable (RolloutState?) -> Bool
    package typealias Read = @Sendable (RolloutKey) async throws -> RolloutState?

    fileprivate enum Answer: Sendable {
        case state(RolloutState?)
        /// The state changed while it was read, and has been forgotten since.
        case again
    }

    fileprivate struct Waiter: Sendable {
        var last: RolloutState?
        let condition: Condition
        let continuation: CheckedContinuation<Answer, any Error>
    }

    /// Reads of the store that run for one rollout. What is published meanwhile is newer than what they bring.
    fileprivate struct Load: Sendable {
        var count = 0
        var isOvertaken = false
    }

    fileprivate struct State: Sendable {
        var cache: BoundedCache<RolloutKey, RolloutState>
        var loads: [RolloutKey: Load] = [:]
        var waiters: [RolloutKey: [UInt64: Waiter]] = [:]
        var nextWaiter: UInt64 = 0
        var isFinished = false
    }

    private let state: Mutex<State>
    private let read: Read

    package init(maximumRollouts: Int, maximumBytes: Int, read: @escaping Read) {
        self.read = read
        state = Mutex(State(cache: BoundedCache(maximumCount: maximumRollouts, maximumCost: maximumBytes)))
    }

    /// The state from memory, else from the store.
    package func state(of rollout: RolloutKey) async throws -> RolloutState? {
        while true {
            if let known = begin(rollout) { return known }
            let stored = try await load(rollout)
            let answer = state.withLock { $0.endLoad(rollout, stored) }
            if case .state(let current) = answer { return current }
        }
    }

    /// The state as soon as it fulfils the condition, or as it is when the time is over.
    package func state(
        of rollout: RolloutKey, waiting duration: Duration, until condition: @escaping Condition
    ) async throws -> RolloutState? {
        let id = state.withLock { state in
            state.nextWaiter += 1
            return state.nextWaiter
        }
        let timer = Task {
            try await Task.sleep(for: duration)
            expire(rollout, id)
        }
        defer { timer.cancel() }
        let deadline = ContinuousClock.now + duration
        while true {
            let known = begin(rollout)
            if let known, condition(known) { return known }
            let stored = known == nil ? try await load(rollout) : nil
            let answer = try await withTaskCancellationHandler {
                try await withCheckedThrowingContinuation { continuation in
                    register(
                        rollout, id, condition, loaded: known == nil ? .some(stored) : .none, until: deadline,
                        continuation)
                }
            } onCancel: {
                cancel(rollout, id)
            }
            if case .state(let current) = answer { return current }
        }
    }

    /// Nothing is known of these rollouts any more; who waits for one goes on waiting.
    package func forget(_ rollouts: [RolloutKey]) {
        guard !rollouts.isEmpty else { return }
        state.withLock { state in
            for rollout in rollouts {
                state.cache.remove(rollout)
                state.loads[rollout]?.isOvertaken = true
                for id in state.waiters[rollout, default: [:]].keys { state.waiters[rollout]?[id]?.last = nil }
            }
        }
    }

    /// Makes new states visible and wakes those who waited for them.
    package func publish(_ states: [(RolloutKey, RolloutState)]) {
        guard !states.isEmpty else { return }
        var woken: [(Waiter, RolloutState)] = []
        state.withLock { state in
            for (rollout, new) in states {
                state.cache.set(new, for: rollout, cost: new.byteCount)
                state.loads[rollout]?.isOvertaken = true
                guard let waiters = state.waiters[rollout] else { continue }
                for (id, waiter) in waiters {
                    if waiter.condition(new) {
                        woken.append((waiter, new))
                        state.removeWaiter(rollout, id)
                    } else {
                        state.waiters[rollout]?[id]?.last = new
                    }
                }
            }
        }
        for (waiter, new) in woken { waiter.continuation.resume(returning: .state(new)) }
    }

    /// Ends all waits, now and later, with what is known.
    package func finish() {
        let waiters = state.withLock { state in
            state.isFinished = true
            defer { state.waiters = [:] }
            return state.waiters.values.flatMap(\.values)
        }
        for waiter in waiters { waiter.continuation.resume(returning: .state(waiter.last)) }
    }

    // MARK: Steps

    /// The state from memory; else a load of it has begun.
    private func begin(_ rollout: RolloutKey) -> RolloutState? {
        state.withLock { state in
            if let known = state.cache.value(for: rollout) { return known }
            state.loads[rollout, default: Load()].count += 1
            return nil
        }
    }

    private func load(_ rollout: RolloutKey) async throws -> RolloutState? {
        do {
            return try await read(rollout)
        } catch {
            state.withLock { $0.dropLoad(rollout) }
            throw error
        }
    }

    /// Checks and registers under the lock that publishing takes, so that no change falls between.
    private func register(
        _ rollout: RolloutKey, _ id: UInt64, _ condition: @escaping Condition, loaded: RolloutState??,
        until deadline: ContinuousClock.Instant, _ continuation: CheckedContinuation<Answer, any Error>
    ) {
        let answer: Result<Answer, any Error>? = state.withLock { state in
            let answer: Answer
            if let loaded {
                answer = state.endLoad(rollout, loaded)
            } else {
                answer = state.cache.value(for: rollout).map { .state($0) } ?? .again
            }
            guard case .state(let current) = answer else { return .success(.again) }
            if Task.isCancelled { return .failure(CancellationError()) }
            if state.isFinished || condition(current) || ContinuousClock.now >= deadline {
                return .success(.state(current))
            }
            state.waiters[rollout, default: [:]][id] = Waiter(
                last: current, condition: condition, continuation: continuation)
            return nil
        }
        if let answer { continuation.resume(with: answer) }
    }

    private func expire(_ rollout: RolloutKey, _ id: UInt64) {
        guard let waiter = state.withLock({ $0.removeWaiter(rollout, id) }) else { return }
        waiter.continuation.resume(returning: .state(waiter.last))
    }

    private func cancel(_ rollout: RolloutKey, _ id: UInt64) {
        guard let waiter = state.withLock({ $0.removeWaiter(rollout, id) }) else { return }
        waiter.continuation.resume(throwing: CancellationError())
    }
}

extension StatusBoard.State {
    fileprivate mutating func endLoad(_ rollout: RolloutKey, _ stored: RolloutState?) -> StatusBoard.Answer {
        let isOvertaken = loads[rollout]?.isOvertaken ?? false
        dropLoad(rollout)
        if let current = cache.value(for: rollout) { return .state(current) }
        if isOvertaken { return .again }
        if let stored { cache.set(stored, for: rollout, cost: stored.byteCount) }
        return .state(stored)
    }

    fileprivate mutating func dropLoad(_ rollout: RolloutKey) {
        guard let load = loads[rollout] else { return }
        if load.count > 1 { loads[rollout]?.count -= 1 } else { loads[rollout] = nil }
    }

    @discardableResult
    fileprivate mutating func removeWaiter(_ rollout: RolloutKey, _ id: UInt64) -> StatusBoard.Waiter? {
        let waiter = waiters[rollout]?.removeValue(forKey: id)
        if waiters[rollout]?.isEmpty == true { waiters[rollout] = nil }
        return waiter
    }
}
