// Part of Rollcall. SPDX-License-Identifier: Apache-2.0

import Foundation
import GRDB
import TraceStore

extension BatchWriter {
    mutating func apply(_ deletion: Deletion, _ db: Database) throws -> RecordOutcome {
        let key = deletion.rollout
        let receipt = StoredReceipt(id: nextID(), duplicate: true)
        let account = try row(of: key.account, db)
        let known = staged.rollouts[key]?.known.row ?? rollouts.value(for: key)?.row
        guard let rollout = try known ?? RolloutRows.row(key.rolloutID, account, db) else { return .stored(receipt) }
        let tag = try TagRows.tag("rollout_id:\(key.rolloutID)", account, seed: hashSeed, db)
        if let time = deletion.silentSince {
            let isSilent = try RolloutRows.lastActivity(of: rollout, tag: tag, db) < time
            // What this batch has changed is not in all tables yet.
            guard isSilent, staged.rollouts[key] == nil else { return .stored(receipt) }
        }
        forget(key, rollout)
        if let tag {
            let sets = try Int64.fetchAll(db, sql: "SELECT tagset FROM tagset_tag WHERE tag = ?", arguments: [tag])
            for set in sets { try deleteRows(of: set, rollout, key, account, db) }
        }
        try db.execute(sql: "DELETE FROM log_rollout WHERE rollout = ?", arguments: [rollout])
        try db.execute(sql: "DELETE FROM attempt WHERE rollout = ?", arguments: [rollout])
        try db.execute(sql: "DELETE FROM score WHERE rollout = ?", arguments: [rollout])
        try db.execute(sql: "DELETE FROM event WHERE rollout = ?", arguments: [rollout])
        staged.prunedEvents += db.changesCount
        try db.execute(sql: "DELETE FROM rollout WHERE id = ?", arguments: [rollout])
        // Ids go on rising after the newest of them is gone.
        try db.execute(
            sql: "INSERT OR REPLACE INTO meta(key, value) VALUES ('last_id', ?)", arguments: [receipt.id])
        staged.deleted.append(key)
        return .stored(StoredReceipt(id: receipt.id))
    }

    private func deleteRows(
        of set: Int64, _ rollout: Int64, _ key: RolloutKey, _ account: Int64, _ db: Database
    ) throws {
        try db.execute(sql: "DELETE FROM call WHERE tagset = ? AND rollout = ?", arguments: [set, rollout])
        if try isShared(set, besides: key, account, db) {
            try db.execute(
                sql: "UPDATE log SET rollout = NULL WHERE tagset = ? AND rollout = ?", arguments: [set, rollout])
        } else {
            try db.execute(sql: "DELETE FROM log WHERE tagset = ?", arguments: [set])
        }
        try dropIfUnused(set, account, db)
    }

    /// What is remembered may be read again; nothing of it may outlive the rows.
    private mutating func forget(_ key: RolloutKey, _ rollout: Int64) {
        staged.rollouts[key] = nil
        staged.conversations[rollout] = nil
        let events = staged.events.count
        staged.events.removeAll { $0.rollout == key }
        // Their rows are counted with the others that go.
        staged.prunedEvents -= events - staged.events.count
        staged.tagsets = [:]
        staged.tags = [:]
        rollouts.remove(key)
        conversations.remove(rollout)
        tagsets.removeAll()
        tags.removeAll()
    }

    /// Whether the set names another rollout that there is.
    private func isShared(_ set: Int64, besides key: RolloutKey, _ account: Int64, _ db: Database) throws -> Bool {
        for tag in try TagRows.tags(ofSet: set, db) where tag.hasPrefix("rollout_id:") {
            let other = RolloutKey(account: key.account, rolloutID: String(tag.dropFirst("rollout_id:".count)))
            guard other != key else { continue }
            if try staged.rollouts[other] != nil || RolloutRows.row(other.rolloutID, account, db) != nil { return true }
        }
        return false
    }

    /// A set without calls and lines goes, and each of its tags that no other set has.
    private func dropIfUnused(_ set: Int64, _ account: Int64, _ db: Database) throws {
        let isUsed = try Bool.fetchOne(
            db,
            sql: "SELECT EXISTS(SELECT 1 FROM call WHERE tagset = ?1) OR EXISTS(SELECT 1 FROM log WHERE tagset = ?1)",
            arguments: [set])
        guard isUsed == false else { return }
        for text in try TagRows.tags(ofSet: set, db) {
            guard let tag = try TagRows.tag(text, account, seed: hashSeed, db) else { continue }
            try db.execute(sql: "DELETE FROM tagset_tag WHERE tag = ? AND tagset = ?", arguments: [tag, set])
            try db.execute(
                sql: "DELETE FROM tag WHERE id = ?1 AND NOT EXISTS(SELECT 1 FROM tagset_tag WHERE tag = ?1)",
                arguments: [tag])
        }
        try db.execute(sql: "DELETE FROM tagset WHERE id = ?", arguments: [set])
    }
}
