// Part of Rollcall. SPDX-License-Identifier: Apache-2.0

import EvalProtocol
import Foundation
import GRDB
package import TraceStore

extension SQLiteTraceStore {
    package func state(of rollout: RolloutKey) async throws -> RolloutState? {
        try await reading { db in
            guard let account = try TagRows.account(rollout.account, db) else { return nil }
            return try RolloutRows.state(rollout.rolloutID, account, db)?.state
        }
    }

    package func states(
        matching filter: RolloutFilter, account: Account, after cursor: Int64?, limit: Int
    ) async throws -> RolloutStates {
        try await reading { db in
            try RolloutRows.states(matching: filter, account: account, after: cursor ?? 0, limit: limit, db)
        }
    }

    package func watchedRollouts(after cursor: Int64?, limit: Int) async throws -> RolloutStates {
        try await reading { try RolloutRows.watched(after: cursor ?? 0, limit: limit, $0) }
    }

    package func rollouts(
        silentSince time: Int64, after cursor: Int64?, limit: Int
    ) async throws -> SilentRollouts {
        let hashSeed = self.hashSeed
        return try await reading { db in
            let rows = try Row.fetchAll(
                db.cachedStatement(
                    sql: """
                        SELECT r.id, r.name, r.account, a.name, r.known
                        FROM rollout r JOIN account a ON a.id = r.account WHERE r.id > ? ORDER BY r.id LIMIT ?
                        """), arguments: [cursor ?? 0, limit])
            var silent: [RolloutKey] = []
            for row in rows {
                // All that follow became known later.
                guard row[4] < time else { return SilentRollouts(rollouts: silent, next: nil) }
                let key = RolloutKey(account: Account(row[3]), rolloutID: row.text(1))
                let tag = try TagRows.tag("rollout_id:\(key.rolloutID)", row[2], seed: hashSeed, db)
                if try RolloutRows.lastActivity(of: row[0], tag: tag, db) < time { silent.append(key) }
            }
            return SilentRollouts(rollouts: silent, next: rows.count < limit ? nil : rows.last?[0])
        }
    }

    package func events(after sequence: Int64, limit: Int) async throws -> [StatusEvent]? {
        try await reading { db in
            let isKnown = try Bool.fetchOne(
                db.cachedStatement(
                    sql: """
                        SELECT EXISTS(SELECT 1 FROM event WHERE seq = ?1)
                          OR ?1 = (SELECT value FROM meta WHERE key = 'event_floor')
                        """),
                arguments: [sequence])
            guard isKnown == true else { return nil }
            let rows = try Row.fetchAll(
                db.cachedStatement(
                    sql: """
                        SELECT e.seq, e.former, c.name, r.name, r.invocation, r.experiment, r.run, r.row, a.name,
                          l.id, l.code, l.status, l.extras, l.sent
                        FROM event e JOIN rollout r ON r.id = e.rollout JOIN account c ON c.id = r.account
                        JOIN log l ON l.id = e.log
                        LEFT JOIN attempt a ON a.rollout = e.rollout AND a.number = e.attempt AND e.attempt > 0
                        WHERE e.seq > ? ORDER BY e.seq LIMIT ?
                        """),
                arguments: [sequence, limit])
            return rows.compactMap { row in
                guard let status = RolloutRows.status(row, from: 9) else { return nil }
                return StatusEvent(
                    sequence: row[0], rollout: RolloutKey(account: Account(row[2]), rolloutID: row.text(3)),
                    attempt: row[8], status: status, ids: RolloutRows.ids(row, from: 4),
                    formerIDs: row.bytes(1).flatMap { Blob.ids($0) })
            }
        }
    }

    package func newestEvent() async throws -> Int64 {
        try await reading { db in
            try Int64.fetchOne(
                db,
                sql: """
                    SELECT max(ifnull((SELECT max(seq) FROM event), 0),
                      (SELECT value FROM meta WHERE key = 'event_floor'))
                    """) ?? 0
        }
    }

    package func page(of rollout: RolloutKey) async throws -> RolloutPage? {
        let hashSeed = self.hashSeed
        return try await reading { db in
            guard let account = try TagRows.account(rollout.account, db),
                let (row, state) = try RolloutRows.state(rollout.rolloutID, account, db)
            else { return nil }
            var page = RolloutPage(
                state: state, recordedCalls: 0, failedCalls: 0, cutCalls: 0, logs: 0,
                usage: Usage(promptTokens: 0, completionTokens: 0), firstSeen: .max, lastSeen: 0)
            let tags = ["rollout_id:\(rollout.rolloutID)"]
            let condition = try TagRows.condition(tags, column: "tagset", account: account, seed: hashSeed, db)
            if let (sql, arguments) = condition {
                let calls = try Row.fetchAll(
                    db,
                    sql: """
                        SELECT state, count(*), ifnull(sum(prompt_tokens), 0), ifnull(sum(completion_tokens), 0),
                          min(id), max(id) FROM call WHERE \(sql) AND rollout = ? GROUP BY state
                        """, arguments: arguments + [row])
                for counted in calls { page.add(counted) }
                let logs = try Row.fetchOne(
                    db, sql: "SELECT count(*), min(id), max(id) FROM log WHERE \(sql)", arguments: arguments)
                page.logs = logs?[0] ?? 0
                page.extend(from: logs?[1], to: logs?[2])
            }
            page.scores = try RolloutRows.scores(of: row, state, db)
            for attempt in state.attempts { page.extend(from: attempt.openedAt, to: attempt.openedAt) }
            if page.lastSeen == 0 { page.firstSeen = 0 }
            return page
        }
    }
}

extension RolloutPage {
    /// Takes in a state's count, tokens and times.
    fileprivate mutating func add(_ row: Row) {
        let count: Int = row[1]
        switch CallRecord.State(rawValue: row[0]) {
        case .recorded: recordedCalls += count
        case .failed: failedCalls += count
        case .cut: cutCalls += count
        case nil: break
        }
        usage = usage + Usage(promptTokens: row[2], completionTokens: row[3])
        extend(from: row[4], to: row[5])
    }

    fileprivate mutating func extend(from first: Int64?, to last: Int64?) {
        if let first { firstSeen = min(firstSeen, first) }
        if let last { lastSeen = max(lastSeen, last) }
    }
}
