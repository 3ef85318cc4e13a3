// Part of Rollcall. SPDX-License-Identifier: Apache-2.0

import EvalProtocol
import Foundation
import GRDB
import TraceStore

/// What callers say of rollouts: before they run, and when they have been scored.
extension BatchWriter {
    mutating func apply(_ registration: Registration, _ db: Database) throws -> RecordOutcome {
        let account = try row(of: registration.account, db)
        let metadata = registration.metadata
        let key = RolloutKey(account: registration.account, rolloutID: metadata.rolloutID)
        var rollout = try rollout(key, account, db)
        let id = nextID()
        let effect = rollout.known.state.register(
            RolloutIDs(metadata), attempt: metadata.attempt, deadline: registration.timeLimit.map { id + $0 },
            budget: registration.budget, at: id)
        guard let effect else {
            let reason =
                rollout.known.state.registeredIDs == RolloutIDs(metadata)
                ? "has \(RolloutState.maximumAttempts) attempts and takes no more"
                : "is registered with other ids; use a new rollout id"
            return .conflict("rollout \(metadata.rolloutID) \(reason)")
        }
        try countSpending(&rollout.known, key, account, db)
        staged.rollouts[key] = rollout
        try tell(effect, of: key, rollout.known, db)
        return .stored(StoredReceipt(id: id, effect))
    }

    /// A budget counts what was used before it was known, too.
    private func countSpending(
        _ rollout: inout KnownRollout, _ key: RolloutKey, _ account: Int64, _ db: Database
    ) throws {
        guard rollout.state.terms.budget != nil, rollout.state.terms.spent == nil else { return }
        let tag = try TagRows.tag("rollout_id:\(key.rolloutID)", account, seed: hashSeed, db)
        rollout.state.terms.spent = try CallRows.spending(
            of: rollout.row, attempt: rollout.state.attempts.count, tag: tag, db)
    }

    mutating func apply(_ score: Score, _ db: Database) throws -> RecordOutcome {
        let key = score.rollout
        let account = try row(of: key.account, db)
        let known = staged.rollouts[key]?.known ?? rollouts.value(for: key)
        let stored = known == nil ? try RolloutRows.state(key.rolloutID, account, db) : nil
        guard let row = known?.row ?? stored?.row, let state = known?.state ?? stored?.state else {
            return .unknown("nothing is known of rollout \(key.rolloutID); a score comes after its calls or lines")
        }
        var attempt = state.attempts.count
        if let name = score.attempt {
            guard let number = state.number(of: name) else {
                return .unknown("rollout \(key.rolloutID) has no attempt \(name)")
            }
            attempt = number
        }
        let id = nextID()
        let effect = state.effect(of: score.attempt)
        let scorer = score.scorer.blob
        let result = try Row.fetchOne(
            db.cachedStatement(sql: "SELECT result FROM score WHERE rollout = ? AND attempt = ? AND scorer = ?"),
            arguments: [row, attempt, scorer])
        if result?.bytes(0) == score.result { return .stored(StoredReceipt(id: id, duplicate: true, effect)) }
        try db.cachedStatement(
            sql: "INSERT OR REPLACE INTO score(rollout, attempt, scorer, stored, result) VALUES (?, ?, ?, ?, ?)"
        ).execute(arguments: [row, attempt, scorer, id, Data(score.result)])
        return .stored(StoredReceipt(id: id, effect))
    }
}
