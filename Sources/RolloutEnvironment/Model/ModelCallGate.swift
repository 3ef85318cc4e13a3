// Part of Rollcall. SPDX-License-Identifier: Apache-2.0

import Synchronization

/// Keeps model calls within their rollout: none begins after its end, and the end waits for those under way.
final class ModelCallGate: Sendable {
    private struct State {
        var isOpen = true
        var underWay = 0
    }

    /// A call under way, until it is released or forgotten.
    final class Pass: Sendable {
        private let gate: ModelCallGate
        private let isReleased = Atomic(false)

        fileprivate init(_ gate: ModelCallGate) { self.gate = gate }

        func release() {
            guard !isReleased.exchange(true, ordering: .acquiringAndReleasing) else { return }
            gate.leave()
        }

        deinit {
            if !isReleased.load(ordering: .acquiring) { gate.leave() }
        }
    }

    private let state = Mutex(State())
    private let isIdle = Latch()

    /// - Throws: `CancellationError` when the rollout has ended.
    func enter() throws -> Pass {
        let entered = state.withLock { state in
            if state.isOpen { state.underWay += 1 }
            return state.isOpen
        }
        guard entered else { throw CancellationError() }
        return Pass(self)
    }

    /// Lets no further call begin.
    func shut() { state.withLock { $0.isOpen = false } }

    /// Lets no further call begin, and waits for those under way.
    ///
    /// - Returns: Whether they ended within `limit`.
    @discardableResult
    func close(waiting limit: Duration) async -> Bool {
        let underWay = state.withLock { state in
            state.isOpen = false
            return state.underWay
        }
        return underWay == 0 ? true : await isIdle.wait(within: limit)
    }

    private func leave() {
        let wasLast = state.withLock { state in
            state.underWay -= 1
            return !state.isOpen && state.underWay == 0
        }
        if wasLast { isIdle.open() }
    }
}
