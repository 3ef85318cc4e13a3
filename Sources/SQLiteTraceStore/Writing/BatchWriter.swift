// Part of Rollcall. SPDX-License-Identifier: Apache-2.0

import EvalProtocol
import Foundation
import GRDB
import TraceStore

/// Turns records into rows, one transaction a batch, and keeps in memory what the next ones are compared with.
///
/// What a batch learns is staged and taken over after its COMMIT; a batch that fails leaves no trace here either.
struct BatchWriter {
    struct KnownRollout: Sendable {
        let row: Int64
        var state: RolloutState
        /// The ids of the last call and its set of tags: nearly always those of the next.
        var lastMetadata: RolloutMetadata?
        var lastTagset: Int64 = 0
    }

    struct StagedRollout: Sendable {
        var known: KnownRollout
        /// As it is stored; `nil` for a new one.
        let stored: RolloutState?
    }

    struct TagKey: Hashable, Sendable {
        let tag: ExactText
        let account: Int64

        init(_ tag: String, account: Int64) {
            self.tag = ExactText(tag)
            self.account = account
        }
    }

    struct Staged: Sendable {
        var rollouts: [RolloutKey: StagedRollout] = [:]
        var conversations: [Int64: [Conversation]] = [:]
        var tagsets: [[TagKey]: Int64] = [:]
        var tags: [TagKey: Int64] = [:]
        var accounts: [Account: Int64] = [:]
        var events: [StatusEvent] = []
        var prunedEvents = 0
        var deleted: [RolloutKey] = []
    }

    let now: @Sendable () -> Int64
    let hashSeed: Int64
    private(set) var lastID: Int64
    private var lastRolloutRow: Int64
    var eventCount: Int

    var rollouts = BoundedCache<RolloutKey, KnownRollout>(maximumCount: 65_536, maximumCost: 64 << 20)
    var conversations = BoundedCache<Int64, [Conversation]>(maximumCount: 65_536, maximumCost: 64 << 20)
    var tagsets = BoundedCache<[TagKey], Int64>(maximumCount: 65_536, maximumCost: 32 << 20)
    var tags = BoundedCache<TagKey, Int64>(maximumCount: 65_536, maximumCost: 16 << 20)
    var accounts: [Account: Int64] = [:]
    var staged = Staged()
    var row = RowBuffer()

    /// Reads where an earlier run of the gateway ended.
    init(_ db: Database, now: @escaping @Sendable () -> Int64) throws {
        self.now = now
        lastID =
            try Int64.fetchOne(
                db,
                sql: """
                    SELECT max(ifnull((SELECT max(id) FROM call), 0), ifnull((SELECT max(id) FROM log), 0),
                      ifnull((SELECT max(seq) FROM event), 0),
                      ifnull((SELECT value FROM meta WHERE key = 'last_id'), 0))
                    """) ?? 0
        lastRolloutRow = try Int64.fetchOne(db, sql: "SELECT max(id) FROM rollout") ?? 0
        eventCount = try Int.fetchOne(db, sql: "SELECT count(*) FROM event") ?? 0
        try db.execute(
            sql: "INSERT OR IGNORE INTO meta(key, value) VALUES ('hash_seed', ?), ('event_floor', 0)",
            arguments: [Int64.random(in: .min ... .max)])
        hashSeed = try Int64.fetchOne(db, sql: "SELECT value FROM meta WHERE key = 'hash_seed'") ?? 0
    }

    /// The time, made strictly rising across records, restarts and steps of the clock.
    mutating func nextID() -> Int64 {
        lastID = max(now(), lastID + 1)
        return lastID
    }

    mutating func nextRolloutRow() -> Int64 {
        lastRolloutRow += 1
        return lastRolloutRow
    }

    mutating func commit(_ batch: [StoreRecord], _ db: Database) throws -> CommittedBatch {
        defer { staged = Staged() }
        let firstRow = lastRolloutRow
        var outcomes: [RecordOutcome] = []
        outcomes.reserveCapacity(batch.count)
        do {
            try db.inTransaction(.immediate) {
                for record in batch { outcomes.append(try apply(record, db)) }
                for (key, rollout) in staged.rollouts { try store(rollout, key, db) }
                try pruneEvents(db)
                return .commit
            }
        } catch {
            lastRolloutRow = firstRow
            throw error
        }
        let states = takeOver()
        return CommittedBatch(
            outcomes: outcomes, states: states, events: staged.events, deleted: staged.deleted)
    }

    private mutating func apply(_ record: StoreRecord, _ db: Database) throws -> RecordOutcome {
        switch record {
        case .call(let call): try apply(call, db)
        case .amendment(let amendment): try apply(amendment, db)
        case .log(let log): try apply(log, db)
        case .registration(let registration): try apply(registration, db)
        case .verdict(let verdict): try apply(verdict, db)
        case .score(let score): try apply(score, db)
        case .deletion(let deletion): try apply(deletion, db)
        }
    }

    /// After the COMMIT: the staged is the known now. Gives back the states that changed.
    private mutating func takeOver() -> [(RolloutKey, RolloutState)] {
        var changed: [(RolloutKey, RolloutState)] = []
        for (key, rollout) in staged.rollouts {
            rollouts.set(rollout.known, for: key, cost: rollout.known.state.byteCount)
            if rollout.known.state != rollout.stored { changed.append((key, rollout.known.state)) }
        }
        for (row, lists) in staged.conversations { conversations.set(lists, for: row, cost: lists.byteCount) }
        for (key, row) in staged.tagsets {
            tagsets.set(row, for: key, cost: key.reduce(64) { $0 + 24 + $1.tag.text.utf8.count })
        }
        for (key, row) in staged.tags { tags.set(row, for: key, cost: 64 + key.tag.text.utf8.count) }
        accounts.merge(staged.accounts) { $1 }
        eventCount += staged.events.count - staged.prunedEvents
        return changed
    }
}
