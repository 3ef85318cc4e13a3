// Part of Rollcall. SPDX-License-Identifier: Apache-2.0

import EvalProtocol
import Foundation
import GRDB
import TraceStore

extension BatchWriter {
    private static let insertCall = """
        INSERT INTO call(id, account, rollout, tagset, attempt, state, base, depth, parent, turn, started, first_byte, ended,
          streamed, answer_status, prompt_tokens, completion_tokens, upstream, edits, error, requested_model,
          answered_model, fingerprint, policy_version, finish_reason, request_id, script, lengths, envelope, added,
          answer)
        VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
        """

    mutating func apply(_ call: CallRecord, _ db: Database) throws -> RecordOutcome {
        let key = RolloutKey(account: call.account, rolloutID: call.metadata.rolloutID)
        let account = try row(of: call.account, db)
        let id = nextID()
        var rollout = try rollout(key, account, db)
        let effect = rollout.known.state.receive(
            call: call.metadata.attempt, ids: RolloutIDs(call.metadata), at: id)
        let tagset = try tagset(of: call, account, &rollout.known, db)
        var conversations = try conversations(of: rollout.known.row, tagset: tagset, db)
        let shared = SharedRequest(
            call.request, call: id, isTrace: call.state == .recorded, conversations: conversations)
        conversations.note(shared.conversation)
        staged.conversations[rollout.known.row] = conversations
        if call.state == .recorded {
            rollout.known.state.spend(call.usage, turn: shared.conversation.turn, inAttempt: effect.attempt)
        }
        staged.rollouts[key] = rollout
        try tell(effect, of: key, rollout.known, db)

        let statement = try db.cachedStatement(sql: Self.insertCall)
        row.append(id)
        row.append(account)
        row.append(rollout.known.row)
        row.append(tagset)
        row.append(effect.attempt ?? 0)
        row.append(call.state.rawValue)
        row.append(shared.base)
        row.append(shared.conversation.depth)
        row.append(shared.conversation.parent)
        row.append(shared.conversation.turn)
        row.append(call.startedAt)
        row.append(call.microsecondsToFirstByte)
        row.append(call.microsecondsToEnd)
        row.append(call.streamed ? 1 : 0)
        row.append(call.answerStatus)
        row.append(call.usage?.promptTokens)
        row.append(call.usage?.completionTokens)
        row.append(call.upstream)
        row.append(call.edits.isEmpty ? nil : call.edits.joined(separator: "\n"))
        row.append(call.error)
        row.append(call.requestedModel)
        row.append(call.answeredModel)
        row.append(call.fingerprint)
        row.append(call.policyVersion)
        row.append(call.finishReason)
        row.append(call.requestID)
        row.append(shared.script.encoded(for: id))
        row.append(shared.lengths)
        row.append(shared.envelope)
        row.append(shared.added)
        row.append(call.answer)
        try row.execute(statement)
        return .stored(StoredReceipt(id: id, effect))
    }

    mutating func apply(_ amendment: CallAmendment, _ db: Database) throws -> RecordOutcome {
        let account = try row(of: amendment.account, db)
        let statement = try db.cachedStatement(
            sql: """
                UPDATE call SET answer = ?, finish_reason = ifnull(?, finish_reason),
                  prompt_tokens = ifnull(?, prompt_tokens), completion_tokens = ifnull(?, completion_tokens), ended = ?
                WHERE id = ? AND account = ?
                """)
        try statement.execute(arguments: [
            Data(amendment.answer), amendment.finishReason, amendment.usage?.promptTokens,
            amendment.usage?.completionTokens, amendment.microsecondsToEnd, amendment.callID, account,
        ])
        guard db.changesCount == 1 else { return .conflict("there is no call \(amendment.callID) to amend") }
        return .stored(StoredReceipt(id: amendment.callID))
    }

    private mutating func tagset(
        of call: CallRecord, _ account: Int64, _ rollout: inout KnownRollout, _ db: Database
    ) throws -> Int64 {
        guard call.bodyTags.isEmpty else { return try tagset(call.metadata.tags + call.bodyTags, account, db) }
        var metadata = call.metadata
        metadata.attempt = nil
        if rollout.lastMetadata == metadata { return rollout.lastTagset }
        let tagset = try tagset(call.metadata.tags, account, db)
        rollout.lastMetadata = metadata
        rollout.lastTagset = tagset
        return tagset
    }

    /// What the rollout's next call is compared with; read from the store when memory has forgotten it.
    private mutating func conversations(of rollout: Int64, tagset: Int64, _ db: Database) throws -> [Conversation] {
        if let staged = staged.conversations[rollout] { return staged }
        if let known = conversations.value(for: rollout) { return known }
        let latest = try Int64.fetchAll(
            db.cachedStatement(sql: "SELECT id FROM call WHERE tagset = ? AND rollout = ? ORDER BY id DESC LIMIT ?"),
            arguments: [tagset, rollout, [Conversation].maximumConversations])
        var conversations: [Conversation] = []
        for id in latest.reversed() {
            if let conversation = try CallRows.conversation(id, db) { conversations.note(conversation) }
        }
        return conversations
    }
}
