// Part of Rollcall. SPDX-License-Identifier: Apache-2.0

import EvalProtocol
import Foundation
import GRDB
package import TraceStore

extension SQLiteTraceStore {
    private static let insertionTag = "insertion_id:"

    package func calls(_ query: CallQuery) async throws -> [Int64] {
        let hashSeed = self.hashSeed
        return try await reading { db in
            guard query.limit > 0, let account = try TagRows.account(query.account, db) else { return [] }
            let stored = query.tags.filter { !$0.hasPrefix(Self.insertionTag) }
            guard
                let (tagged, tagArguments) = try TagRows.condition(
                    stored, column: "c.tagset", account: account, seed: hashSeed, db)
            else { return [] }
            var conditions = ["c.account = ?", "c.state = 0", tagged]
            var arguments: StatementArguments = [account]
            arguments += tagArguments
            func add(_ condition: String, _ values: StatementArguments = []) {
                conditions.append(condition)
                arguments += values
            }
            for tag in query.tags where tag.hasPrefix(Self.insertionTag) {
                guard let id = Int64(tag.dropFirst(Self.insertionTag.count)) else { return [] }
                add("c.id = ?", [id])
            }
            if let since = query.since { add("c.id >= ?", [since]) }
            if let until = query.until { add("c.id <= ?", [until]) }
            switch query.attempts {
            case .all: break
            case .newest: add("c.attempt = r.attempt")
            case .named(let name):
                add(
                    "EXISTS(SELECT 1 FROM attempt a WHERE a.rollout = r.id AND a.number = c.attempt AND a.name = ?)",
                    [name.description])
            }
            return try Int64.fetchAll(
                db,
                sql: """
                    SELECT c.id FROM call c JOIN rollout r ON r.id = c.rollout
                    WHERE \(conditions.joined(separator: " AND ")) ORDER BY c.id DESC LIMIT ?
                    """, arguments: arguments + [query.limit])
        }
    }

    package func links(
        of rollout: RolloutKey, attempts: AttemptSelection, limit: Int
    ) async throws -> [CallLink] {
        let hashSeed = self.hashSeed
        return try await reading { db in
            guard let account = try TagRows.account(rollout.account, db),
                let row = try RolloutRows.row(rollout.rolloutID, account, db),
                let (tagged, tagArguments) = try TagRows.condition(
                    ["rollout_id:\(rollout.rolloutID)"], column: "c.tagset", account: account, seed: hashSeed, db)
            else { return [] }
            let (attempt, attemptArguments): (String, StatementArguments) =
                switch attempts {
                case .all: ("1", [])
                case .newest: ("c.attempt = (SELECT attempt FROM rollout WHERE id = c.rollout)", [])
                case .named(let name):
                    (
                        "c.attempt = (SELECT number FROM attempt WHERE rollout = c.rollout AND name = ?)",
                        [name.description]
                    )
                }
            let rows = try Row.fetchAll(
                db,
                sql: """
                    SELECT c.id, c.parent FROM call c WHERE \(tagged) AND c.rollout = ? AND c.state = 0 AND \(attempt)
                    ORDER BY c.id LIMIT ?
                    """, arguments: tagArguments + [row] + attemptArguments + [limit])
            return rows.map { CallLink(id: $0[0], parent: $0[1]) }
        }
    }

    package func call(_ id: Int64, account: Account) async throws -> StoredCall? {
        try await reading { db in
            guard let accountRow = try TagRows.account(account, db) else { return nil }
            let row = try Row.fetchOne(
                db.cachedStatement(
                    sql: """
                        SELECT c.*, r.name AS rollout_name, a.name AS attempt_name
                        FROM call c JOIN rollout r ON r.id = c.rollout
                        LEFT JOIN attempt a ON a.rollout = c.rollout AND a.number = c.attempt AND c.attempt > 0
                        WHERE c.id = ? AND c.account = ?
                        """),
                arguments: [id, accountRow])
            return try row.map { try Self.call($0, account: account, db) }
        }
    }

    private static func call(_ row: Row, account: Account, _ db: Database) throws -> StoredCall {
        let id: Int64 = row["id"]
        let tags = try TagRows.tags(ofSet: row["tagset"], db)
        func value(_ name: String) -> String {
            tags.first { $0.hasPrefix(name) }.map { String($0.dropFirst(name.count)) } ?? ""
        }
        let rolloutName = row.bytes("rollout_name").map { String(decoding: $0, as: UTF8.self) }
        let attemptName: String? = row["attempt_name"]
        let metadata = RolloutMetadata(
            invocationID: value("invocation_id:"), experimentID: value("experiment_id:"),
            rolloutID: rolloutName ?? "", runID: value("run_id:"), rowID: value("row_id:"),
            attempt: attemptName.flatMap { AttemptID($0) })
        let body = try CallRows.body(of: id, envelope: row.bytes("envelope") ?? [], db)
        var record = CallRecord(
            account: account, metadata: metadata, state: CallRecord.State(rawValue: row["state"]) ?? .failed,
            request: RecordedRequest(body: body, parts: []), upstream: row["upstream"],
            answer: row.bytes("answer") ?? [], startedAt: row["started"], microsecondsToEnd: row["ended"],
            requestID: row["request_id"])
        record.bodyTags = Array(tags.dropFirst(metadata.ids.count))
        record.edits = (row["edits"] as String?)?.split(separator: "\n").map(String.init) ?? []
        record.answerStatus = row["answer_status"]
        record.streamed = row["streamed"]
        record.error = row["error"]
        record.requestedModel = row["requested_model"]
        record.answeredModel = row["answered_model"]
        record.fingerprint = row["fingerprint"]
        record.policyVersion = row["policy_version"]
        record.finishReason = row["finish_reason"]
        if let prompt = row["prompt_tokens"] as Int?, let completion = row["completion_tokens"] as Int? {
            record.usage = Usage(promptTokens: prompt, completionTokens: completion)
        }
        record.microsecondsToFirstByte = row["first_byte"]
        record.captured = CaptureColumns.captured(
            row, promptTokenIDs: row["prompt_shared"] == nil ? [] : try CallRows.prompt(of: id, db) ?? [])
        let number: Int = row["attempt"]
        return StoredCall(
            id: id, tags: tags + ["\(insertionTag)\(id)"], record: record, attempt: number == 0 ? nil : number,
            parent: row["parent"])
    }
}
