// Part of Rollcall. SPDX-License-Identifier: Apache-2.0

import EvalProtocol
import Foundation
import GRDB
import TraceStore

extension BatchWriter {
    /// Events that are kept for subscribers who come back.
    private static var maximumEvents: Int { 100_000 }

    mutating func row(of account: Account, _ db: Database) throws -> Int64 {
        if let row = accounts[account] ?? staged.accounts[account] { return row }
        try db.execute(sql: "INSERT OR IGNORE INTO account(name) VALUES (?)", arguments: [account.name])
        let row = try Int64.fetchOne(
            db, sql: "SELECT id FROM account WHERE name = ?", arguments: [account.name])
        guard let row else { throw StoreError(.unavailable, "an account cannot be read back") }
        staged.accounts[account] = row
        return row
    }

    mutating func rollout(_ key: RolloutKey, _ account: Int64, _ db: Database) throws -> StagedRollout {
        if let rollout = staged.rollouts[key] { return rollout }
        let rollout: StagedRollout
        if let known = rollouts.value(for: key) {
            rollout = StagedRollout(known: known, stored: known.state)
        } else if let (row, state) = try RolloutRows.state(key.rolloutID, account, db) {
            rollout = StagedRollout(known: KnownRollout(row: row, state: state), stored: state)
        } else {
            rollout = StagedRollout(known: KnownRollout(row: nextRolloutRow(), state: RolloutState()), stored: nil)
        }
        staged.rollouts[key] = rollout
        return rollout
    }

    /// Records the event that an effect means for subscribers.
    mutating func tell(
        _ effect: RolloutState.Effect, of key: RolloutKey, _ rollout: KnownRollout, _ db: Database
    ) throws {
        guard effect.isStatus || effect.formerIDs != nil, let status = rollout.state.status else { return }
        let event = StatusEvent(
            sequence: nextID(), rollout: key, attempt: rollout.state.newestAttempt?.name, status: status,
            ids: rollout.state.ids, formerIDs: effect.isStatus ? nil : effect.formerIDs)
        staged.events.append(event)
        try db.cachedStatement(sql: "INSERT INTO event(seq, rollout, attempt, log, former) VALUES (?, ?, ?, ?, ?)")
            .execute(arguments: [
                event.sequence, rollout.row, rollout.state.newestAttempt?.number ?? 0, status.logID,
                event.formerIDs.map { Data(Blob.encoded(ids: $0)) },
            ])
    }

    /// Writes what changed of a rollout.
    mutating func store(_ rollout: StagedRollout, _ key: RolloutKey, _ db: Database) throws {
        let state = rollout.known.state
        let stored = rollout.stored
        if state == stored { return }
        let isHeadSame =
            stored.map {
                $0.ids == state.ids && $0.registeredIDs == state.registeredIDs
                    && $0.attempts.count == state.attempts.count
            } ?? false
        if !isHeadSame { try storeHead(rollout.known, key, db) }
        let isWatched = state.isWatched
        if state.untaggedStatus != stored?.untaggedStatus || state.untaggedTerms.differ(from: stored?.untaggedTerms) {
            try storeAttempt(
                rollout.known.row, number: 0, name: nil, opened: nil, status: state.untaggedStatus,
                state.untaggedTerms, watched: state.attempts.isEmpty ? isWatched : 0, db)
        }
        for (index, attempt) in state.attempts.enumerated() {
            let isNewest = index == state.attempts.count - 1
            if let stored, index < stored.attempts.count, stored.attempts[index].isStored(like: attempt),
                isNewest == (index == stored.attempts.count - 1)
            {
                continue
            }
            try storeAttempt(
                rollout.known.row, number: attempt.number, name: attempt.name, opened: attempt.openedAt,
                status: attempt.status, attempt.terms, watched: isNewest ? isWatched : 0, db)
        }
        if let stored, stored.attempts.isEmpty, !state.attempts.isEmpty, stored.isWatched != 0 {
            try db.execute(
                sql: "UPDATE attempt SET watched = 0 WHERE rollout = ? AND number = 0", arguments: [rollout.known.row])
        }
    }

    private mutating func storeHead(_ rollout: KnownRollout, _ key: RolloutKey, _ db: Database) throws {
        let state = rollout.state
        let statement = try db.cachedStatement(
            sql: """
                INSERT INTO rollout(id, account, name, invocation, experiment, run, row, registered, attempt, known)
                VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
                ON CONFLICT(id) DO UPDATE SET invocation = excluded.invocation, experiment = excluded.experiment,
                  run = excluded.run, row = excluded.row, registered = excluded.registered, attempt = excluded.attempt
                """)
        row.append(rollout.row)
        row.append(accounts[key.account] ?? staged.accounts[key.account])
        row.append(blobOf: key.rolloutID)
        row.append(blobOf: state.ids.invocationID)
        row.append(blobOf: state.ids.experimentID)
        row.append(blobOf: state.ids.runID)
        row.append(blobOf: state.ids.rowID)
        row.append(state.registeredIDs.map { Blob.encoded(ids: $0) })
        row.append(state.newestAttempt?.number ?? 0)
        row.append(lastID)
        try row.execute(statement)
    }

    private mutating func storeAttempt(
        _ rollout: Int64, number: Int, name: String?, opened: Int64?, status: RolloutState.CurrentStatus?,
        _ terms: RolloutTerms, watched: Int, _ db: Database
    ) throws {
        let statement = try db.cachedStatement(
            sql: """
                INSERT INTO attempt(rollout, number, name, opened, log, verdict, watched, deadline, lease, calls, turns,
                  prompt_tokens, completion_tokens) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
                ON CONFLICT(rollout, number) DO UPDATE SET log = excluded.log, verdict = excluded.verdict,
                  watched = excluded.watched, deadline = excluded.deadline, lease = excluded.lease,
                  calls = excluded.calls, turns = excluded.turns, prompt_tokens = excluded.prompt_tokens,
                  completion_tokens = excluded.completion_tokens
                """)
        row.append(rollout)
        row.append(number)
        row.append(name)
        row.append(opened)
        row.append(status?.logID)
        row.append(status?.isVerdict == true ? 1 : 0)
        row.append(watched)
        row.append(terms.deadline)
        row.append(terms.lease)
        row.append(terms.budget?.calls)
        row.append(terms.budget?.turns)
        row.append(terms.budget?.promptTokens)
        row.append(terms.budget?.completionTokens)
        try row.execute(statement)
    }

    /// Forgets the oldest events, a thousand at a time, and remembers how far.
    mutating func pruneEvents(_ db: Database) throws {
        let excess = eventCount + staged.events.count - staged.prunedEvents - Self.maximumEvents
        guard excess >= 1000 else { return }
        let floor = try Int64.fetchOne(
            db, sql: "SELECT seq FROM event ORDER BY seq LIMIT 1 OFFSET ?", arguments: [excess - 1])
        guard let floor else { return }
        try db.execute(sql: "DELETE FROM event WHERE seq <= ?", arguments: [floor])
        try db.execute(sql: "UPDATE meta SET value = ? WHERE key = 'event_floor'", arguments: [floor])
        staged.prunedEvents += excess
    }
}

extension RolloutState {
    /// The column `watched` of the newest attempt's row.
    fileprivate var isWatched: Int {
        guard terms.areWatched else { return 0 }
        guard let status, status.code.isTerminal else { return 1 }
        return status.isVerdict && status.code == .resourceExhausted ? 2 : 0
    }
}

extension RolloutState.Attempt {
    /// What is spent is counted anew from the calls, and not stored.
    fileprivate func isStored(like other: Self) -> Bool {
        number == other.number && status == other.status && !terms.differ(from: other.terms)
    }
}

extension RolloutTerms {
    fileprivate func differ(from stored: RolloutTerms?) -> Bool {
        let stored = stored ?? RolloutTerms()
        return deadline != stored.deadline || lease != stored.lease || budget != stored.budget
    }
}
