// Part of Rollcall. SPDX-License-Identifier: Apache-2.0

import Synchronization

/// The latest status events, in memory, and a bell for those who have read them all.
package final class EventFeed: Sendable {
    package enum Fetched: Sendable {
        /// Oldest first; empty when there is nothing newer.
        case events(ArraySlice<StatusEvent>)
        /// What comes next has been forgotten here and must be read from the store.
        case behind
        case finished
    }

    private struct State: Sendable {
        var events: [StatusEvent] = []
        /// The first of `events` that is kept.
        var first = 0
        var bytes = 0
        /// Every event after this one is in `events`; `nil` before the newest stored event is known.
        var floor: Int64?
        var waiters: [UInt64: CheckedContinuation<Void, Never>] = [:]
        var nextWaiter: UInt64 = 0
        var isFinished = false

        var newest: Int64? { events.last?.sequence ?? floor }
    }

    private let state = Mutex(State())
    private let maximumEvents: Int
    private let maximumBytes: Int

    package init(maximumEvents: Int, maximumBytes: Int) {
        self.maximumEvents = maximumEvents
        self.maximumBytes = maximumBytes
    }

    /// The sequence of the newest event; `nil` before any is known.
    package var newest: Int64? { state.withLock { $0.newest } }

    /// Tells the sequence of the newest stored event, for as long as none has been published.
    package func begin(at sequence: Int64) -> Int64 {
        state.withLock { state in
            if let newest = state.newest { return newest }
            state.floor = sequence
            return sequence
        }
    }

    /// Events in commit order, each with its sequence.
    package func publish(_ events: [StatusEvent]) {
        guard let firstSequence = events.first?.sequence else { return }
        let waiters = state.withLock { state in
            if state.floor == nil { state.floor = firstSequence - 1 }
            for event in events {
                state.events.append(event)
                state.bytes += event.byteCount
            }
            trim(&state)
            defer { state.waiters = [:] }
            return state.waiters.values
        }
        for waiter in waiters { waiter.resume() }
    }

    /// Events of rollouts that are gone are told to nobody any more.
    package func forget(_ rollouts: [RolloutKey]) {
        guard !rollouts.isEmpty else { return }
        let gone = Set(rollouts)
        state.withLock { state in
            guard let newest = state.newest else { return }
            var kept: [StatusEvent] = []
            for event in state.events[state.first...] {
                if gone.contains(event.rollout) { state.bytes -= event.byteCount } else { kept.append(event) }
            }
            state.events = kept
            state.first = 0
            // What was the newest stays the place from which subscribers go on.
            if kept.isEmpty { state.floor = newest }
        }
    }

    /// At most `limit` events after the cursor.
    package func fetch(after cursor: Int64, limit: Int) -> Fetched {
        state.withLock { state in
            if state.isFinished { return .finished }
            guard let floor = state.floor, cursor >= floor else { return .behind }
            var low = state.first
            var high = state.events.count
            while low < high {
                let middle = (low + high) / 2
                if (state.events[middle].sequence ?? 0) <= cursor { low = middle + 1 } else { high = middle }
            }
            return .events(state.events[low...].prefix(limit))
        }
    }

    /// Returns when there are events after the cursor, when the feed has finished, or when the task is cancelled.
    package func wait(after cursor: Int64) async {
        let id = state.withLock { state in
            state.nextWaiter += 1
            return state.nextWaiter
        }
        await withTaskCancellationHandler {
            await withCheckedContinuation { continuation in
                let isOver = state.withLock { state in
                    if state.isFinished || Task.isCancelled || (state.newest ?? .max) > cursor { return true }
                    state.waiters[id] = continuation
                    return false
                }
                if isOver { continuation.resume() }
            }
        } onCancel: {
            state.withLock { $0.waiters.removeValue(forKey: id) }?.resume()
        }
    }

    /// Ends all subscriptions.
    package func finish() {
        let waiters = state.withLock { state in
            state.isFinished = true
            defer { state.waiters = [:] }
            return state.waiters.values
        }
        for waiter in waiters { waiter.resume() }
    }

    private func trim(_ state: inout State) {
        while state.events.count - state.first > maximumEvents || state.bytes > maximumBytes,
            state.first < state.events.count
        {
            state.bytes -= state.events[state.first].byteCount
            state.floor = state.events[state.first].sequence
            state.first += 1
        }
        // Moved up only when half is gone, so that forgetting one event costs no copy of all.
        if state.first > 64, state.first * 2 > state.events.count {
            state.events.removeFirst(state.first)
            state.first = 0
        }
    }
}
