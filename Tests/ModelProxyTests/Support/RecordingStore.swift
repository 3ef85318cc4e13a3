// Part of Rollcall. SPDX-License-Identifier: Apache-2.0

import EvalProtocol
import Foundation
import Synchronization
import TraceStore

/// A store that keeps what it is given in memory, and commits when the test lets it.
final class RecordingStore: TraceStore {
    private struct State {
        var records: [StoreRecord] = []
        var isHeld = false
        var failure: StoreError?
        var lastID: Int64 = 0
        var waiting = 0
    }
    private let state = Mutex(State())

    /// Lets no commit end until ``release()``.
    func hold() { state.withLock { $0.isHeld = true } }
    func release() { state.withLock { $0.isHeld = false } }
    func fail(with error: StoreError?) { state.withLock { $0.failure = error } }

    var calls: [CallRecord] {
        state.withLock { $0.records }.compactMap { if case .call(let call) = $0 { call.value } else { nil } }
    }
    var amendments: [CallAmendment] {
        state.withLock { $0.records }.compactMap { if case .amendment(let amendment) = $0 { amendment } else { nil } }
    }
    var logs: [LogRecord] {
        state.withLock { $0.records }.compactMap { if case .log(let log) = $0 { log } else { nil } }
    }
    /// Whether a commit waits to be let through.
    var isWaiting: Bool { state.withLock { $0.waiting > 0 } }

    func apply(_ batch: [StoreRecord]) throws(StoreError) -> CommittedBatch {
        state.withLock { $0.waiting += 1 }
        while state.withLock({ $0.isHeld }) { Thread.sleep(forTimeInterval: 0.002) }
        let result: Result<[RecordOutcome], StoreError> = state.withLock { state in
            state.waiting -= 1
            if let failure = state.failure { return .failure(failure) }
            state.records += batch
            return .success(
                batch.map { _ in
                    state.lastID += 1
                    return .stored(StoredReceipt(id: state.lastID))
                })
        }
        return CommittedBatch(outcomes: try result.get(), states: [], events: [])
    }

    func state(of rollout: RolloutKey) async throws -> RolloutState? { nil }
    var sizes: StoreSizes { StoreSizes(database: 0, log: 0) }

    func watchedRollouts(after cursor: Int64?, limit: Int) async throws -> RolloutStates {
        RolloutStates(states: [], next: nil)
    }

    func rollouts(silentSince time: Int64, after cursor: Int64?, limit: Int) async throws -> SilentRollouts {
        SilentRollouts(rollouts: [], next: nil)
    }

    func states(
        matching filter: RolloutFilter, account: Account, after cursor: Int64?, limit: Int
    ) async throws -> RolloutStates {
        RolloutStates(states: [], next: nil)
    }
    func logs(_ query: LogQuery) async throws -> [StoredLog] { [] }
    func calls(_ query: CallQuery) async throws -> [Int64] { [] }
    func links(of rollout: RolloutKey, attempts: AttemptSelection, limit: Int) async throws -> [CallLink] { [] }
    func call(_ id: Int64, account: Account) async throws -> StoredCall? { nil }
    func page(of rollout: RolloutKey) async throws -> RolloutPage? { nil }
    func events(after sequence: Int64, limit: Int) async throws -> [StatusEvent]? { [] }
    func newestEvent() async throws -> Int64 { 0 }
    func probe() throws(StoreError) {}
    func rest() {}
    func close() throws(StoreError) {}
}
