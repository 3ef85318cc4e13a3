// Part of Rollcall. SPDX-License-Identifier: Apache-2.0

import EvalProtocol
import Synchronization

/// Hands finished rows from the tasks that make them to the one reader, and keeps the makers from running ahead.
///
/// There are as many places as rollouts may be in flight. A place is taken before a row is read and free again when
/// its result has been taken, so rows in flight and rows nobody has taken yet together never exceed the number.
final class ResultQueue: Sendable {
    private struct State {
        var free: Int
        var rows: [EvaluationRow] = []
        var end: Result<Void, any Error>?
        var reader: CheckedContinuation<EvaluationRow?, any Error>?
        var writer: CheckedContinuation<Bool, Never>?
    }

    private let state: Mutex<State>

    init(places: Int) { state = Mutex(State(free: places)) }

    /// Waits for a place; `false` when nobody will read any more.
    func takePlace() async -> Bool {
        await withCheckedContinuation { continuation in
            let answer: Bool? = state.withLock { state in
                if state.end != nil { return false }
                if state.free > 0 {
                    state.free -= 1
                    return true
                }
                state.writer = continuation
                return nil
            }
            if let answer { continuation.resume(returning: answer) }
        }
    }

    /// Gives back a place that no row came of.
    func returnPlace() {
        freePlace()?.resume(returning: true)
    }

    func put(_ row: EvaluationRow) {
        let reader = state.withLock { state -> CheckedContinuation<EvaluationRow?, any Error>? in
            guard state.end == nil else { return nil }
            if let reader = state.reader.take() { return reader }
            state.rows.append(row)
            return nil
        }
        reader?.resume(returning: row)
    }

    /// The next row; `nil` after the last one.
    func next() async throws -> EvaluationRow? {
        let row = try await withTaskCancellationHandler {
            try await withCheckedThrowingContinuation { continuation in
                let answer: Result<EvaluationRow?, any Error>? = state.withLock { state in
                    if !state.rows.isEmpty { return .success(state.rows.removeFirst()) }
                    if let end = state.end { return end.map { nil } }
                    state.reader = continuation
                    return nil
                }
                if let answer { continuation.resume(with: answer) }
            }
        } onCancel: {
            finish(.failure(CancellationError()))
        }
        if row != nil { returnPlace() }
        return row
    }

    func finish(_ end: Result<Void, any Error>) {
        let (reader, writer) = state.withLock { state in
            if state.end == nil { state.end = end }
            return (state.reader.take(), state.writer.take())
        }
        reader?.resume(with: end.map { nil })
        writer?.resume(returning: false)
    }

    private func freePlace() -> CheckedContinuation<Bool, Never>? {
        state.withLock { state in
            if let writer = state.writer.take() { return writer }
            state.free += 1
            return nil
        }
    }
}
