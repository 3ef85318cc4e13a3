// Part of Rollcall. SPDX-License-Identifier: Apache-2.0

import Synchronization

/// Something that happens once, and can be waited for with a limit.
final class Latch: Sendable {
    private struct Waiter {
        var continuation: CheckedContinuation<Bool, Never>
        var timer: Task<Void, Never>?

        func end(_ answer: Bool) {
            timer?.cancel()
            continuation.resume(returning: answer)
        }
    }

    private struct State {
        var isOpen = false
        var next = 0
        var waiters: [Int: Waiter] = [:]
    }

    private let state = Mutex(State())

    func open() {
        let waiters = state.withLock { state in
            state.isOpen = true
            defer { state.waiters = [:] }
            return state.waiters.values
        }
        for waiter in waiters { waiter.end(true) }
    }

    /// Whether it happened within `limit`, if there is one; `false` too when the waiting task is cancelled.
    @discardableResult
    func wait(within limit: Duration? = nil) async -> Bool {
        let id = state.withLock { state in
            state.next += 1
            return state.next
        }
        return await withTaskCancellationHandler {
            await withCheckedContinuation { continuation in
                let answer: Bool? = state.withLock { state in
                    if state.isOpen { return true }
                    // Cancellation that came before this would find nobody waiting, and so would a timer begun earlier.
                    if Task.isCancelled { return false }
                    let timer = limit.map { limit in
                        Task {
                            try? await Task.sleep(for: limit)
                            expire(id)
                        }
                    }
                    state.waiters[id] = Waiter(continuation: continuation, timer: timer)
                    return nil
                }
                if let answer { continuation.resume(returning: answer) }
            }
        } onCancel: {
            expire(id)
        }
    }

    private func expire(_ id: Int) { state.withLock { $0.waiters.removeValue(forKey: id) }?.end(false) }
}
