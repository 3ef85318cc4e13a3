// Part of Rollcall. SPDX-License-Identifier: Apache-2.0

import EvalProtocol
import Foundation
import GRDB
import TraceStore

extension BatchWriter {
    private static let insertCall = """
        INSERT INTO call(id, account, rollout, tagset, attempt, state, base, depth, parent, turn, started, first_byte, ended,
          streamed, answer_status, prompt_tokens, completion_tokens, upstream, edits, error, requested_model,
          answered_model, fingerprint, policy_version, finish_reason, request_id, capture, prompt_base, prompt_shared,
          script, lengths, envelope, prompt_ids, added, answer, tokens)
        VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
        """

    mutating func apply(_ call: Shared<CallRecord>, _ db: Database) throws -> RecordOutcome {
        let key = RolloutKey(account: call.value.account, rolloutID: call.value.metadata.rolloutID)
        let account = try row(of: call.value.account, db)
        let id = nextID()
        var rollout = try rollout(key, account, db)
        let effect = rollout.known.state.receive(
            call: call.value.metadata.attempt, ids: RolloutIDs(call.value.metadata), at: id)
        let tagset = try tagset(of: call, account, &rollout.known, db)
        var conversations = try conversations(of: rollout, key, tagset: tagset, account, db)
        var shared = SharedRequest(
            call.value.request, call: id, isTrace: call.value.state == .recorded, conversations: conversations)
        let prompt = SharedPrompt(call.value.captured.promptTokenIDs, call: id, conversations: conversations)
        shared.conversation.prompt = prompt?.prompt ?? conversations.prompt(continuedBy: shared.conversation)
        conversations.note(shared.conversation)
        staged.conversations[rollout.known.row] = conversations
        let turn = shared.conversation.turn
        if call.value.state == .recorded {
            rollout.known.state.spend(call.value.usage, turn: turn, inAttempt: effect.attempt)
        }
        staged.rollouts[key] = rollout
        try tell(effect, of: key, rollout.known, db)

        let statement = try db.cachedStatement(sql: Self.insertCall)
        row.append(id)
        row.append(account)
        row.append(rollout.known.row)
        row.append(tagset)
        row.append(effect.attempt ?? 0)
        row.append(call.value.state.rawValue)
        row.append(shared.base)
        row.append(shared.conversation.depth)
        row.append(shared.conversation.parent)
        row.append(turn)
        row.append(call.value.startedAt)
        row.append(call.value.microsecondsToFirstByte)
        row.append(call.value.microsecondsToEnd)
        row.append(call.value.streamed ? 1 : 0)
        row.append(call.value.answerStatus)
        row.append(call.value.usage?.promptTokens)
        row.append(call.value.usage?.completionTokens)
        row.append(call.value.upstream)
        row.append(call.value.edits.isEmpty ? nil : call.value.edits.joined(separator: "\n"))
        row.append(call.value.error)
        row.append(call.value.requestedModel)
        row.append(call.value.answeredModel)
        row.append(call.value.fingerprint)
        row.append(call.value.policyVersion)
        row.append(call.value.finishReason)
        row.append(call.value.requestID)
        row.append(CaptureColumns.outcome(of: call.value.captured))
        row.append(prompt?.base)
        row.append(prompt?.shared)
        row.append(shared.script.encoded(for: id))
        row.append(shared.lengths)
        row.append(shared.envelope)
        row.append(prompt?.added)
        row.append(shared.added)
        row.append(call.value.answer)
        row.append(CaptureColumns.tokens(of: call.value.captured))
        try row.execute(statement)
        return .stored(StoredReceipt(id: id, effect))
    }

    mutating func apply(_ amendment: CallAmendment, _ db: Database) throws -> RecordOutcome {
        let account = try row(of: amendment.account, db)
        let statement = try db.cachedStatement(
            sql: """
                UPDATE call SET answer = ?, finish_reason = ifnull(?, finish_reason),
                  prompt_tokens = ifnull(?, prompt_tokens), completion_tokens = ifnull(?, completion_tokens), ended = ?,
                  capture = ifnull(?, capture), tokens = ifnull(?, tokens)
                WHERE id = ? AND account = ?
                """)
        try statement.execute(arguments: [
            Data(amendment.answer), amendment.finishReason, amendment.usage?.promptTokens,
            amendment.usage?.completionTokens, amendment.microsecondsToEnd,
            CaptureColumns.outcome(of: amendment.captured),
            CaptureColumns.tokens(of: amendment.captured).map { Data($0) },
            amendment.callID, account,
        ])
        guard db.changesCount == 1 else { return .conflict("there is no call \(amendment.callID) to amend") }
        return .stored(StoredReceipt(id: amendment.callID))
    }

    private mutating func tagset(
        of call: Shared<CallRecord>, _ account: Int64, _ rollout: inout KnownRollout, _ db: Database
    ) throws -> Int64 {
        guard call.value.bodyTags.isEmpty else {
            return try tagset(call.value.metadata.tags + call.value.bodyTags, account, db)
        }
        if rollout.lastMetadata == call.value.metadata { return rollout.lastTagset }
        let tagset = try tagset(call.value.metadata.tags, account, db)
        rollout.lastMetadata = call.value.metadata
        rollout.lastTagset = tagset
        return tagset
    }

    /// What the rollout's next call is compared with; read from the store when memory has forgotten it.
    private mutating func conversations(
        of rollout: StagedRollout, _ key: RolloutKey, tagset: Int64, _ account: Int64, _ db: Database
    ) throws -> [Conversation] {
        let row = rollout.known.row
        if let staged = staged.conversations[row] { return staged }
        if let known = conversations.value(for: row) { return known }
        // A rollout that is not stored yet has no calls.
        guard rollout.stored != nil else { return [] }
        // Calls with tags of their own stand under other sets.
        let tag = try TagRows.tag("rollout_id:\(key.rolloutID)", account, seed: hashSeed, db)
        let tagsets = try Int64.fetchAll(
            db.cachedStatement(sql: "SELECT tagset FROM tagset_tag WHERE tag = ? ORDER BY tagset DESC LIMIT ?"),
            arguments: [tag, Self.lookedAt])
        var latest: [(id: Int64, parent: Int64?, repeated: Int64?)] = []
        for tagset in Set(tagsets + [tagset]) {
            let rows = try Row.fetchAll(
                db.cachedStatement(
                    sql: """
                        SELECT id, parent, iif(state = 0, NULL, base) FROM call WHERE tagset = ? AND rollout = ?
                        ORDER BY id DESC LIMIT ?
                        """),
                arguments: [tagset, row, Self.lookedAt])
            latest += rows.map { ($0[0], $0[1], $0[2]) }
        }
        latest = Array(latest.sorted { $0.id > $1.id }.prefix(Self.lookedAt))
        let continued = Set(latest.compactMap(\.parent))
        let ends = latest.filter { !continued.contains($0.id) }.prefix([Conversation].maximumConversations)
        // One that another continues may also go on as it was, and one that is no trace may repeat one that is.
        let known = ends + latest.prefix(Self.alwaysKnown)
        var conversations: [Conversation] = []
        for call in Set(known.map(\.id) + known.compactMap(\.repeated)).sorted() {
            if let conversation = try CallRows.conversation(call, db) { conversations.note(conversation) }
        }
        return conversations
    }

    /// Among so many of a rollout's newest calls those are looked for that none continues.
    private static let lookedAt = 256
    private static let alwaysKnown = 8
}
