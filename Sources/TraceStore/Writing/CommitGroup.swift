// Part of Rollcall. SPDX-License-Identifier: Apache-2.0

import Synchronization

/// Gathers what becomes of several records, for one who waits for them all.
final class CommitGroup: Sendable {
    typealias Results = [Result<RecordOutcome, StoreError>]

    private struct State: Sendable {
        var results: [Result<RecordOutcome, StoreError>?]
        var missing: Int
        var waiter: CheckedContinuation<Results, any Error>?
    }

    private let state: Mutex<State>

    init(count: Int) {
        state = Mutex(State(results: Array(repeating: nil, count: count), missing: count))
    }

    func complete(_ index: Int, _ result: Result<RecordOutcome, StoreError>) {
        let finished: (CheckedContinuation<Results, any Error>, Results)? = state.withLock { state in
            state.results[index] = result
            state.missing -= 1
            guard state.missing == 0, let waiter = state.waiter else { return nil }
            state.waiter = nil
            return (waiter, state.results.compactMap { $0 })
        }
        if let (waiter, results) = finished { waiter.resume(returning: results) }
    }

    /// Once; throws when the time is over first. The records may be committed later all the same.
    func results(within timeout: Duration) async throws -> Results {
        let timer = Task {
            try await Task.sleep(for: timeout)
            let waiter = state.withLock { state in
                defer { state.waiter = nil }
                return state.waiter
            }
            waiter?.resume(
                throwing: StoreError(.unavailable, "the store did not commit within \(timeout); send it again later"))
        }
        defer { timer.cancel() }
        return try await withCheckedThrowingContinuation { continuation in
            let results: Results? = state.withLock { state in
                guard state.missing == 0 else {
                    state.waiter = continuation
                    return nil
                }
                return state.results.compactMap { $0 }
            }
            if let results { continuation.resume(returning: results) }
        }
    }
}
