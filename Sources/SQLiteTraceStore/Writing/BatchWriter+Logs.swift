// Part of Rollcall. SPDX-License-Identifier: Apache-2.0

import EvalProtocol
import Foundation
import GRDB
import TraceStore
import WireJSON

extension BatchWriter {
    private static let insertLog = """
        INSERT INTO log(id, account, tagset, rollout, attempt, superseded, program, severity, code, sent, client_id,
          status, extras, message) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
        """

    mutating func apply(_ log: LogRecord, _ db: Database) throws -> RecordOutcome {
        let account = try row(of: log.account, db)
        let rolloutIDs = log.rolloutIDs
        if let id = try storedRepeat(of: log, account, db) {
            guard let first = rolloutIDs.first else { return .stored(StoredReceipt(id: id, duplicate: true)) }
            let key = RolloutKey(account: log.account, rolloutID: first)
            // Nothing is changed: a rollout that has been deleted since does not come back.
            let known = staged.rollouts[key]?.known.state ?? rollouts.value(for: key)?.state
            let state = try known ?? RolloutRows.state(first, account, db)?.state ?? RolloutState()
            return .stored(StoredReceipt(id: id, duplicate: true, state.effect(of: log.attempt)))
        }
        if let reason = try excess(log, rolloutIDs.first, account, db) { return .overLimit(reason) }
        let tagset = try tagset(log.tags, account, db)
        let id = nextID()
        let status = log.status.flatMap { status in
            log.code.map {
                RolloutState.CurrentStatus(
                    code: $0, status: status, extras: log.extras, logID: id, sentAt: log.sentAt)
            }
        }
        let ids = log.taggedIDs
        var firstRow: Int64?
        var firstEffect = RolloutState.Effect()
        for (index, rolloutID) in rolloutIDs.enumerated() {
            let key = RolloutKey(account: log.account, rolloutID: rolloutID)
            var rollout = try rollout(key, account, db)
            let effect = rollout.known.state.receive(
                line: index == 0 ? log.attempt : nil, status: status, lease: log.lease, ids: ids, at: id)
            rollout.known.lines? += 1
            staged.rollouts[key] = rollout
            try tell(effect, of: key, rollout.known, db)
            if index == 0 {
                firstRow = rollout.known.row
                firstEffect = effect
            } else {
                try db.cachedStatement(
                    sql: "INSERT INTO log_rollout(rollout, log, attempt, superseded) VALUES (?, ?, ?, ?)"
                ).execute(arguments: [rollout.known.row, id, effect.attempt ?? 0, effect.isSuperseded])
            }
        }
        try insert(log, id, account, tagset, of: firstRow, firstEffect, db)
        return .stored(StoredReceipt(id: id, firstEffect))
    }

    /// Ends the attempt with a line of the gateway's own.
    mutating func apply(_ verdict: Verdict, _ db: Database) throws -> RecordOutcome {
        let key = verdict.rollout
        let account = try row(of: key.account, db)
        var rollout = try rollout(key, account, db)
        let id = nextID()
        let status = verdict.status
        var line = LogRecord(
            account: key.account, program: LogLine.defaultProgram, message: status.message, severity: "ERROR",
            tags: rollout.known.state.ids.tags(of: key.rolloutID), status: status.json.serialized(), code: status.code)
        line.sentAt = id
        let current = RolloutState.CurrentStatus(
            code: status.code, status: line.status ?? [], extras: nil, logID: id, sentAt: id, isVerdict: true)
        guard let effect = rollout.known.state.receive(verdict: current, inAttempt: verdict.attempt) else {
            return .stored(StoredReceipt(id: id, duplicate: true, rollout.known.state.effect(of: nil)))
        }
        staged.rollouts[key] = rollout
        try tell(effect, of: key, rollout.known, db)
        let tagset = try tagset(line.tags, account, db)
        try insert(line, id, account, tagset, of: rollout.known.row, effect, db)
        return .stored(StoredReceipt(id: id, effect))
    }

    private func insert(
        _ log: LogRecord, _ id: Int64, _ account: Int64, _ tagset: Int64, of rollout: Int64?,
        _ effect: RolloutState.Effect, _ db: Database
    ) throws {
        try db.cachedStatement(sql: Self.insertLog).execute(arguments: [
            id, account, tagset, rollout, effect.attempt ?? 0, effect.isSuperseded, log.program.blob,
            log.severity.blob, log.code?.rawValue, log.sentAt, log.clientID?.blob, log.status.map { Data($0) },
            log.extras.map { Data($0) }, log.message.blob,
        ])
    }

    /// Why a line is one too many for its rollout; one with a status never is.
    private mutating func excess(
        _ log: LogRecord, _ rolloutID: String?, _ account: Int64, _ db: Database
    ) throws -> String? {
        guard log.code == nil, let rolloutID else { return nil }
        let key = RolloutKey(account: log.account, rolloutID: rolloutID)
        var rollout = try rollout(key, account, db)
        let lines = try rollout.known.lines ?? countLines(key, account, db)
        if rollout.known.lines == nil {
            rollout.known.lines = lines
            staged.rollouts[key] = rollout
        }
        guard lines >= logsPerRollout else { return nil }
        return "rollout \(rolloutID) has \(lines) log lines, and only lines with a status are taken beyond "
            + "\(logsPerRollout); log less, or start the gateway with a larger --max-logs-per-rollout"
    }

    private func countLines(_ key: RolloutKey, _ account: Int64, _ db: Database) throws -> Int {
        guard let tag = try TagRows.tag("rollout_id:\(key.rolloutID)", account, seed: hashSeed, db) else { return 0 }
        let statement = try db.cachedStatement(
            sql: "SELECT count(*) FROM log WHERE tagset IN (SELECT tagset FROM tagset_tag WHERE tag = ?)")
        return try Int.fetchOne(statement, arguments: [tag]) ?? 0
    }

    /// The same line sent before: same account, id and content.
    private func storedRepeat(of log: LogRecord, _ account: Int64, _ db: Database) throws -> Int64? {
        guard let clientID = log.clientID else { return nil }
        let statement = try db.cachedStatement(
            sql: """
                SELECT id FROM log WHERE account = ? AND client_id = ? AND program IS ? AND severity IS ?
                  AND status IS ? AND extras IS ? AND message IS ?
                  AND (SELECT tags FROM tagset WHERE id = log.tagset) IS ? LIMIT 1
                """)
        return try Int64.fetchOne(
            statement,
            arguments: [
                account, clientID.blob, log.program.blob, log.severity.blob, log.status.map { Data($0) },
                log.extras.map { Data($0) }, log.message.blob, Data(Blob.encoded(texts: log.tags)),
            ])
    }
}
