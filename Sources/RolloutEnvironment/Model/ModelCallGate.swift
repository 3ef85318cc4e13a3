// Part of Rollcall. SPDX-License-Identifier: Apache-2.0

import Synchronization

/// Keeps model calls within their rollout: none begins after its end, and the end waits for those under way.
final class ModelCallGate: Sendable {
    private struct State {
        var isOpen = true
        var underWay = 0
        var waiter: CheckedContinuation<Void, Never>?
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
    func close() { state.withLock { $0.isOpen = false } }

    /// Waits until no call is under way. Only one may wait.
    func waitUntilIdle() async {
        await withCheckedContinuation { continuation in
            let isIdle = state.withLock { state in
                if state.underWay > 0 { state.waiter = continuation }
                return state.underWay == 0
            }
            if isIdle { continuation.resume() }
        }
    }

    private func leave() {
        let waiter = state.withLock { state in
            state.underWay -= 1
            guard state.underWay == 0 else { return nil as CheckedContinuation<Void, Never>? }
            defer { state.waiter = nil }
            return state.waiter
        }
        waiter?.resume()
    }
}
