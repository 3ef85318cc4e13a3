// Part of Rollcall. SPDX-License-Identifier: Apache-2.0

import EvalProtocol
import Logging

/// Deadlines, leases and budgets: what keeps a rollout alive, and the verdict on one that nothing does.
extension TraceLedger {
    /// Rollouts with a deadline, a lease or a budget that run.
    package var watchedRollouts: Int { watch.count }

    /// Goes on watching over the rollouts that an earlier gateway left running. Before the first record.
    package func resumeWatch() async throws {
        var cursor: Int64?
        repeat {
            let page = try await store.watchedRollouts(after: cursor, limit: 1000)
            watch.resume(page.states.map { ($0.rollout, $0.state) }, wallTime: WallClock.now())
            cursor = page.next
        } while cursor != nil
    }

    /// The watch's time goes on; what is over then is ended. To be called every ``WatchTable/tick`` microseconds, for as
    /// long as lines and calls can be taken in.
    package func advanceWatch(by duration: Duration) {
        for verdict in watch.advance(by: Int64(duration / .microseconds(1))) { pronounce(verdict) }
    }

    /// Stores a verdict. One that finds no room is given once more later.
    func pronounce(_ verdict: Verdict) {
        let record = StoreRecord.verdict(verdict)
        guard let reservation = writer.reserve(bytes: record.byteCount, countless: true) else { return }
        let logger = logger
        writer.submit(record, reservation) { result in
            guard case .success(.stored(let receipt)) = result, !receipt.duplicate else { return }
            logger.notice("rollout \(verdict.rollout.rolloutID) was ended: \(verdict.status.message)")
        }
    }

    // MARK: Leases

    /// Commits records, but for renewals of leases, which are answered from what is known.
    package func take(_ records: [StoreRecord]) async throws -> [Result<RecordOutcome, StoreError>] {
        var renewals: [Int: StoredReceipt] = [:]
        for (index, record) in records.enumerated() {
            if case .log(let line) = record, line.isRenewal { renewals[index] = try await renew(line) }
        }
        guard !renewals.isEmpty else { return try await commit(records) }
        let others = records.indices.filter { renewals[$0] == nil }.map { records[$0] }
        var committed: IndexingIterator<[Result<RecordOutcome, StoreError>]>
        do {
            committed = try await commit(others).makeIterator()
        } catch let error as StoreError {
            // What finds no room does not take the renewals beside it along.
            committed = others.map { _ in .failure(error) }.makeIterator()
        }
        return records.indices.map { index in
            if let receipt = renewals[index] { return .success(.stored(receipt)) }
            return committed.next() ?? .failure(StoreError(.unavailable, "the store did not answer"))
        }
    }

    /// A line that is nothing but the renewal of a lease; `nil` when it has to be stored, for the lease is not known.
    private func renew(_ line: LogRecord) async throws -> StoredReceipt? {
        guard let rolloutID = line.rolloutIDs.first else { return nil }
        let rollout = RolloutKey(account: line.account, rolloutID: rolloutID)
        watch.renew(rollout, attempt: line.attempt)
        guard let state = try await board.state(of: rollout) else { return nil }
        let effect = state.effect(of: line.attempt)
        let isKnown = line.attempt.map { state.number(of: $0) != nil } ?? true
        let isLeased = state.status?.code == .running && state.terms.lease == line.lease
        let isOver = effect.final != nil || effect.isCurrent == false
        return isKnown && (isLeased || isOver) ? StoredReceipt(id: 0, duplicate: true, effect) : nil
    }

    /// Any line of an attempt renews its lease, when it comes and not when it is stored.
    func renewLease(_ record: StoreRecord) {
        guard case .log(let log) = record, let rolloutID = log.rolloutIDs.first else { return }
        watch.renew(RolloutKey(account: log.account, rolloutID: rolloutID), attempt: log.attempt)
    }
}
