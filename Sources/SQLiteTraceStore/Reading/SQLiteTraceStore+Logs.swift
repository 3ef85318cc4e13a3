// Part of Rollcall. SPDX-License-Identifier: Apache-2.0

import EvalProtocol
import Foundation
import GRDB
package import TraceStore

extension SQLiteTraceStore {
    package func logs(_ query: LogQuery) async throws -> [StoredLog] {
        let hashSeed = self.hashSeed
        return try await reading { db in
            guard query.limit >= 0, let account = try TagRows.account(query.account, db),
                let selection = try LogSelection(query, account: account, seed: hashSeed, db)
            else { return [] }
            let ids = try selection.ids(db, limit: query.limit)
            var logs: [StoredLog] = []
            var room = query.maximumBytes
            for id in ids {
                guard let log = try selection.log(id, db) else { continue }
                room -= log.byteCount
                guard room >= 0 || logs.isEmpty else { break }
                logs.append(log)
            }
            // The line that the status comes from is part of every answer it matches, of one of no lines too.
            let isFull = logs.count == query.limit
            if isFull || logs.count < ids.count, let status = try selection.statusLine(db),
                status < logs.last?.id ?? .max, let line = try selection.log(status, db)
            {
                logs = (isFull ? logs.dropLast() : logs) + [line]
            }
            return logs
        }
    }
}

/// A query as conditions on rows.
private struct LogSelection {
    private var from = "log l LEFT JOIN rollout r ON r.id = l.rollout"
    private var attempt = "l.attempt"
    private var superseded = "l.superseded"
    private var conditions: [String] = []
    private var arguments: StatementArguments = []
    /// The rollout that the query names, and the line that set its status.
    private let rollout: Int64?
    private let status: Int64?

    /// `nil` when no line can match.
    init?(_ query: LogQuery, account: Int64, seed: Int64, _ db: Database) throws {
        if let name = TagRows.rolloutID(in: query.tags) {
            guard let (row, state) = try RolloutRows.state(name, account, db) else { return nil }
            rollout = row
            status = state.status?.logID
            // A line belongs to an attempt of its first rollout in its own row, of each other one beside it.
            from =
                "log l JOIN rollout r ON r.id = \(row) LEFT JOIN log_rollout x ON x.rollout = r.id AND x.log = l.id"
            attempt = "(CASE WHEN l.rollout = r.id THEN l.attempt ELSE ifnull(x.attempt, 0) END)"
            superseded = "(CASE WHEN l.rollout = r.id THEN l.superseded ELSE ifnull(x.superseded, 0) END)"
        } else {
            rollout = nil
            status = nil
        }
        guard
            let (sql, tagArguments) = try TagRows.condition(
                query.tags, column: "l.tagset", account: account, seed: seed, db)
        else { return nil }
        add("l.account = ?", [account])
        add(sql, tagArguments)
        if let program = query.program { add("l.program IS ?", [program.blob]) }
        if let since = query.since { add("l.id >= ?", [since]) }
        switch query.attempts {
        case .all: break
        case .newest: add("\(superseded) = 0 AND (r.id IS NULL OR \(attempt) = r.attempt)")
        case .named(let name):
            add(
                "EXISTS(SELECT 1 FROM attempt a WHERE a.rollout = r.id AND a.number = \(attempt) AND a.name = ?)",
                [name.description])
        }
    }

    private mutating func add(_ condition: String, _ values: StatementArguments = []) {
        conditions.append(condition)
        arguments += values
    }

    private var selection: String { "SELECT l.id FROM \(from) WHERE \(conditions.joined(separator: " AND "))" }

    func ids(_ db: Database, limit: Int) throws -> [Int64] {
        try Int64.fetchAll(
            db, sql: "\(selection) ORDER BY l.id DESC LIMIT ?", arguments: arguments + [limit])
    }

    func statusLine(_ db: Database) throws -> Int64? {
        guard let status else { return nil }
        return try Int64.fetchOne(db, sql: "\(selection) AND l.id = ?", arguments: arguments + [status])
    }

    func log(_ id: Int64, _ db: Database) throws -> StoredLog? {
        let row = try Row.fetchOne(
            db.cachedStatement(
                sql: """
                    SELECT l.program, l.message, l.severity, l.tagset, l.status, l.extras, l.attempt, l.superseded,
                      l.rollout, x.attempt, x.superseded
                    FROM log l LEFT JOIN log_rollout x ON x.rollout = ? AND x.log = l.id WHERE l.id = ?
                    """),
            arguments: [rollout, id])
        guard let row else { return nil }
        let isBeside = rollout != nil && row[8] != rollout && row[9] != nil
        let number: Int = isBeside ? row[9] : row[6]
        return StoredLog(
            id: id, program: row.text(0), message: row.text(1), severity: row.text(2),
            tags: try TagRows.tags(ofSet: row[3], db), status: row.bytes(4), extras: row.bytes(5),
            attempt: number == 0 ? nil : number, superseded: isBeside ? row[10] : row[7])
    }
}
