// Part of Rollcall. SPDX-License-Identifier: Apache-2.0

import Synchronization

/// Something that happens once, and can be waited for with a limit.
final class Latch: Sendable {
    private struct State {
        var isOpen = false
        var next = 0
        var waiters: [Int: CheckedContinuation<Bool, Never>] = [:]
    }

    private let state = Mutex(State())

    func open() {
        let waiters = state.withLock { state in
            state.isOpen = true
            defer { state.waiters = [:] }
            return state.waiters.values
        }
        for waiter in waiters { waiter.resume(returning: true) }
    }

    /// Whether it happened within `limit`, if there is one; `false` too when the waiting task is cancelled.
    @discardableResult
    func wait(within limit: Duration? = nil) async -> Bool {
        let id = state.withLock { state in
            state.next += 1
            return state.next
        }
        let timer = limit.map { limit in
            Task {
                try? await Task.sleep(for: limit)
                expire(id)
            }
        }
        defer { timer?.cancel() }
        return await withTaskCancellationHandler {
            await withCheckedContinuation { continuation in
                let answer: Bool? = state.withLock { state in
                    if state.isOpen { return true }
                    // Cancellation that came before this would find nobody waiting.
                    if Task.isCancelled { return false }
                    state.waiters[id] = continuation
                    return nil
                }
                if let answer { continuation.resume(returning: answer) }
            }
        } onCancel: {
            expire(id)
        }
    }

    private func expire(_ id: Int) {
        state.withLock { $0.waiters.removeValue(forKey: id) }?.resume(returning: false)
    }
}
