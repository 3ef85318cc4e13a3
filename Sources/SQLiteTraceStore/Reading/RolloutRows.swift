// Part of Rollcall. SPDX-License-Identifier: Apache-2.0

import EvalProtocol
import Foundation
import GRDB
import TraceStore

/// Reads rollouts and their attempts.
enum RolloutRows {
    private static let columns = "id, name, invocation, experiment, run, row, registered, account"

    static func row(_ name: String, _ account: Int64, _ db: Database) throws -> Int64? {
        try Int64.fetchOne(
            db.cachedStatement(sql: "SELECT id FROM rollout WHERE account = ? AND name = ?"),
            arguments: [account, name.blob])
    }

    static func state(_ name: String, _ account: Int64, _ db: Database) throws -> (row: Int64, state: RolloutState)? {
        let row = try Row.fetchOne(
            db.cachedStatement(sql: "SELECT \(columns) FROM rollout WHERE account = ? AND name = ?"),
            arguments: [account, name.blob])
        return try row.map { ($0[0], try state($0, db)) }
    }

    /// Rollouts of all accounts that run and are watched, or that a budget has ended.
    static func watched(after cursor: Int64, limit: Int, _ db: Database) throws -> RolloutStates {
        let columns = columns.split(separator: ", ").map { "r.\($0)" }.joined(separator: ", ")
        let rows = try Row.fetchAll(
            db,
            sql: """
                SELECT \(columns), c.name FROM attempt a JOIN rollout r ON r.id = a.rollout
                JOIN account c ON c.id = r.account
                WHERE a.watched > 0 AND a.rollout > ? ORDER BY a.rollout LIMIT ?
                """, arguments: [cursor, limit])
        let states = try rows.map { row in
            (rollout: RolloutKey(account: Account(row[8]), rolloutID: row.text(1)), state: try state(row, db))
        }
        return RolloutStates(states: states, next: rows.count < limit ? nil : rows.last?[0])
    }

    static func states(
        matching filter: RolloutFilter, account: Account, after cursor: Int64, limit: Int, _ db: Database
    ) throws -> RolloutStates {
        guard let accountRow = try TagRows.account(account, db) else { return RolloutStates(states: [], next: nil) }
        var conditions = ["account = ?", "id > ?"]
        var arguments: StatementArguments = [accountRow, cursor]
        let wanted = [
            ("name", filter.rolloutIDs), ("experiment", filter.experimentIDs), ("run", filter.runIDs),
            ("invocation", filter.invocationIDs),
        ]
        for (column, ids) in wanted where !ids.isEmpty {
            conditions.append("\(column) IN (\(Array(repeating: "?", count: ids.count).joined(separator: ", ")))")
            arguments += StatementArguments(ids.map(\.blob))
        }
        let sql = """
            SELECT \(columns) FROM rollout WHERE \(conditions.joined(separator: " AND ")) ORDER BY id LIMIT \(limit)
            """
        let rows = try Row.fetchAll(db, sql: sql, arguments: arguments)
        let states = try rows.map { row in
            (rollout: RolloutKey(account: account, rolloutID: row.text(1)), state: try state(row, db))
        }
        return RolloutStates(states: states, next: rows.count < limit ? nil : rows.last?[0])
    }

    /// When the last call, line or attempt of a rollout came, or it became known.
    ///
    /// - Parameter tag: The row of the tag with its id.
    static func lastActivity(of rollout: Int64, tag: Int64?, _ db: Database) throws -> Int64 {
        try Int64.fetchOne(
            db.cachedStatement(
                sql: """
                    SELECT max(last) FROM (SELECT known AS last FROM rollout WHERE id = ?1
                      UNION ALL SELECT max(id) FROM call
                        WHERE tagset IN (SELECT tagset FROM tagset_tag WHERE tag = ?2) AND rollout = ?1
                      UNION ALL SELECT max(id) FROM log
                        WHERE tagset IN (SELECT tagset FROM tagset_tag WHERE tag = ?2)
                      UNION ALL SELECT max(opened) FROM attempt WHERE rollout = ?1
                      UNION ALL SELECT max(stored) FROM score WHERE rollout = ?1)
                    """), arguments: [rollout, tag]) ?? 0
    }

    /// The scores of all attempts, in their order.
    static func scores(of rollout: Int64, _ state: RolloutState, _ db: Database) throws -> [StoredScore] {
        let rows = try Row.fetchAll(
            db,
            sql: "SELECT attempt, scorer, result, stored FROM score WHERE rollout = ? ORDER BY attempt, scorer",
            arguments: [rollout])
        return rows.map { row in
            let number: Int = row[0]
            return StoredScore(
                attempt: state.attempts.first { $0.number == number }?.name, scorer: row.text(1),
                result: row.bytes(2) ?? [], storedAt: row[3])
        }
    }

    static func name(_ row: Int64, _ db: Database) throws -> String? {
        try Row.fetchOne(
            db.cachedStatement(sql: "SELECT name FROM rollout WHERE id = ?"), arguments: [row])?.text(0)
    }

    /// The ids of a row of rollout columns.
    static func ids(_ row: Row, from first: Int) -> RolloutIDs {
        RolloutIDs(
            invocationID: row.text(first), experimentID: row.text(first + 1), runID: row.text(first + 2),
            rowID: row.text(first + 3))
    }

    private static func state(_ row: Row, _ db: Database) throws -> RolloutState {
        var state = RolloutState()
        state.ids = ids(row, from: 2)
        state.registeredIDs = row.bytes(6).flatMap { Blob.ids($0) }
        let attempts = try Row.fetchAll(
            db.cachedStatement(
                sql: """
                    SELECT a.number, a.name, a.opened, l.id, l.code, l.status, l.extras, l.sent, a.verdict, a.deadline,
                      a.lease, a.calls, a.turns, a.prompt_tokens, a.completion_tokens
                    FROM attempt a LEFT JOIN log l ON l.id = a.log WHERE a.rollout = ? ORDER BY a.number
                    """),
            arguments: [row[0] as Int64])
        for attempt in attempts {
            var status = status(attempt, from: 3)
            status?.isVerdict = attempt[8]
            let terms = terms(attempt, from: 9)
            let number: Int = attempt[0]
            if number == 0 {
                state.untaggedStatus = status
                state.untaggedTerms = terms
            } else {
                state.attempts.append(
                    RolloutState.Attempt(
                        number: number, name: attempt[1] ?? "", status: status, openedAt: attempt[2] ?? 0, terms: terms)
                )
            }
        }
        if state.terms.budget != nil {
            let tag = try TagRows.tag("rollout_id:\(row.text(1))", row[7], seed: TagRows.hashSeed(db), db)
            state.terms.spent = try CallRows.spending(of: row[0], attempt: state.attempts.count, tag: tag, db)
        }
        return state
    }

    /// What holds for an attempt, in the columns from its deadline on.
    private static func terms(_ row: Row, from first: Int) -> RolloutTerms {
        let budget = Budget(
            calls: row[first + 2], turns: row[first + 3], promptTokens: row[first + 4], completionTokens: row[first + 5]
        )
        return RolloutTerms(deadline: row[first], lease: row[first + 1], budget: budget.isEmpty ? nil : budget)
    }

    /// The status in the columns id, code, status, extras, sent of a line.
    static func status(_ row: Row, from first: Int) -> RolloutState.CurrentStatus? {
        guard let id = row[first] as Int64?, let code = (row[first + 1] as Int?).flatMap(StatusCode.init(rawValue:))
        else { return nil }
        return RolloutState.CurrentStatus(
            code: code, status: row.bytes(first + 2) ?? [], extras: row.bytes(first + 3), logID: id,
            sentAt: row[first + 4])
    }
}
