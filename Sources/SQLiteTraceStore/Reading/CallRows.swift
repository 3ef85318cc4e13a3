// Part of Rollcall. SPDX-License-Identifier: Apache-2.0

import EvalProtocol
import Foundation
import GRDB
import TraceStore

/// Puts requests together from the calls they repeat.
enum CallRows {
    /// The parts of a request, and where each stands.
    private struct Parts {
        var places: [RequestAssembly.Place]
        var bytes: [ArraySlice<UInt8>]
        /// The nearest call at depth 0, and how many of its parts the list begins with.
        var anchor: Int64
        var anchorCount: Int
    }

    /// The body as the client sent it.
    static func body(of call: Int64, envelope: [UInt8], _ db: Database) throws -> [UInt8] {
        guard let body = RequestEnvelope.body(from: envelope, parts: try parts(of: call, db).bytes) else {
            throw damaged(call)
        }
        return body
    }

    /// A call as later ones are compared with it.
    static func conversation(_ call: Int64, _ db: Database) throws -> Conversation? {
        let row = try Row.fetchOne(
            db.cachedStatement(sql: "SELECT state, depth, parent, turn FROM call WHERE id = ?"), arguments: [call])
        guard let row else { return nil }
        let parts = try parts(of: call, db)
        let parent: Int64? = row[2]
        let isTrace = row[0] == CallRecord.State.recorded.rawValue
        var conversation = Conversation(
            call: call, depth: row[1], anchor: parts.anchor, anchorCount: parts.anchorCount,
            trace: isTrace ? call : parent, parent: parent, turn: row[3],
            parts: zip(parts.places, parts.bytes).map { place, bytes in
                Conversation.Part(bytes, origin: place.call, index: place.index)
            }, ends: [], prompt: try prompt(of: call, db).map { SharedPrompt.Prompt(call: call, ids: $0) })
        if let parent { conversation.ends = try ends(of: conversation, from: parent, db) }
        let count = conversation.messages.count
        if isTrace, count > 0 {
            conversation.ends.append(Conversation.End(count: count, trace: call, turn: conversation.turn))
        }
        return conversation
    }

    private static let maximumEnds = 256

    /// Where the nearest traces end that a conversation has come through.
    private static func ends(
        of conversation: Conversation, from parent: Int64, _ db: Database
    ) throws -> [Conversation.End] {
        let rows = try Row.fetchAll(
            db.cachedStatement(
                sql: """
                    WITH RECURSIVE line(id, parent, base, turn, script) AS (
                      SELECT id, parent, base, turn, script FROM call WHERE id = ?1
                      UNION SELECT c.id, c.parent, c.base, c.turn, c.script
                        FROM line JOIN call c ON c.id IN (line.parent, line.base)
                      ORDER BY 1 DESC LIMIT ?2)
                    SELECT id, parent, base, turn, script FROM line ORDER BY id
                    """),
            arguments: [parent, maximumEnds])
        var parents: [Int64: Int64] = [:]
        var turns: [Int64: Int] = [:]
        var lists: [Int64: [RequestAssembly.Place]] = [:]
        for row in rows {
            let (call, base): (Int64, Int64?) = (row[0], row[2])
            if let parent: Int64 = row[1] { parents[call] = parent }
            turns[call] = row[3]
            let known = base.map { lists[$0] } ?? []
            if let known, let script = PartScript(decoding: row.bytes(4) ?? [], for: call) {
                lists[call] = RequestAssembly.places(of: script, in: call, base: known)
            }
        }
        var ends: [Conversation.End] = []
        var own = OwnParts()
        var next: Int64? = parent
        while let trace = next {
            next = parents[trace]
            guard let list = lists[trace] else { continue }
            let count = try own.messages(of: list, thatBegin: conversation.messages, db)
            if let count, count > 0, let turn = turns[trace] {
                ends.append(Conversation.End(count: count, trace: trace, turn: turn))
            }
        }
        return ends.reversed()
    }

    /// The parts that stand with calls, read when they are needed.
    private struct OwnParts {
        private var known: [Int64: [Conversation.Part]] = [:]

        /// How many messages a list has, tools left out, if they are the first ones of a conversation's.
        mutating func messages(
            of list: [RequestAssembly.Place], thatBegin messages: ArraySlice<Conversation.Part>, _ db: Database
        ) throws -> Int? {
            var rest = messages
            for place in list {
                if let next = rest.first, next.origin == place.call, Int(next.index) == place.index {
                    rest.removeFirst()
                    continue
                }
                // Tools, the same message stored twice, or another.
                guard let part = try part(at: place, db) else { return nil }
                if !part.isMessage { continue }
                guard let next = rest.first, next.hash == part.hash, next.length == part.length else { return nil }
                rest.removeFirst()
            }
            return messages.count - rest.count
        }

        private mutating func part(at place: RequestAssembly.Place, _ db: Database) throws -> Conversation.Part? {
            if known[place.call] == nil {
                let row = try Row.fetchOne(
                    db.cachedStatement(sql: "SELECT lengths, added FROM call WHERE id = ?"), arguments: [place.call])
                let parts = row.flatMap { RequestAssembly.parts($0.bytes(1) ?? [], lengths: $0.bytes(0) ?? []) } ?? []
                known[place.call] = parts.enumerated().map { index, bytes in
                    Conversation.Part(bytes, origin: place.call, index: index)
                }
            }
            return known[place.call].flatMap { $0.indices.contains(place.index) ? $0[place.index] : nil }
        }
    }

    /// What an attempt has used of the model.
    ///
    /// - Parameters:
    ///   - attempt: its number, 0 for a rollout without attempts.
    ///   - tag: the row of the tag with the rollout's id.
    static func spending(of rollout: Int64, attempt: Int, tag: Int64?, _ db: Database) throws -> Spending {
        var spending = Spending()
        let row = try Row.fetchOne(
            db.cachedStatement(
                sql: """
                    SELECT count(*), ifnull(max(turn), 0), ifnull(sum(prompt_tokens), 0),
                      ifnull(sum(completion_tokens), 0) FROM call
                    WHERE tagset IN (SELECT tagset FROM tagset_tag WHERE tag = ?) AND rollout = ? AND attempt = ?
                      AND state = ?
                    """), arguments: [tag, rollout, attempt, CallRecord.State.recorded.rawValue])
        guard let row else { return spending }
        (spending.calls, spending.turns) = (row[0], row[1])
        (spending.promptTokens, spending.completionTokens) = (row[2], row[3])
        return spending
    }

    /// The token ids of a call's prompt; `nil` when it has none. One query, however long the conversation is.
    static func prompt(of call: Int64, _ db: Database) throws -> [Int32]? {
        let chain = try Row.fetchAll(
            db.cachedStatement(
                sql: """
                    WITH RECURSIVE chain(id, base, shared, ids, position) AS (
                      SELECT id, prompt_base, ifnull(prompt_shared, 0), prompt_ids, 0 FROM call
                        WHERE id = ? AND prompt_shared IS NOT NULL
                      UNION ALL
                      SELECT c.id, c.prompt_base, ifnull(c.prompt_shared, 0), c.prompt_ids, chain.position + 1
                        FROM chain JOIN call c ON c.id = chain.base)
                    SELECT shared, ids FROM chain ORDER BY position
                    """),
            arguments: [call])
        guard !chain.isEmpty else { return nil }
        let links = chain.map { SharedPrompt.Link(shared: $0[0], added: $0.bytes(1) ?? []) }
        guard let ids = SharedPrompt.ids(of: links) else {
            throw StoreError(
                .unusable, "the prompt's token ids of call \(call) cannot be put together; the database is damaged")
        }
        return ids
    }

    /// Two queries, however long the conversation is.
    private static func parts(of call: Int64, _ db: Database) throws -> Parts {
        let chain = try Row.fetchAll(
            db.cachedStatement(
                sql: """
                    WITH RECURSIVE chain(id, base, depth, script, position) AS (
                      SELECT id, base, depth, script, 0 FROM call WHERE id = ?
                      UNION ALL
                      SELECT c.id, c.base, c.depth, c.script, chain.position + 1 FROM chain JOIN call c ON c.id = chain.base)
                    SELECT id, script, depth FROM chain ORDER BY position
                    """),
            arguments: [call])
        let links = chain.map { RequestAssembly.Link(call: $0[0], script: $0.bytes(1) ?? []) }
        let anchor = chain.firstIndex { $0[2] == 0 } ?? 0
        guard !links.isEmpty, let places = RequestAssembly.places(of: links),
            let anchorPlaces = RequestAssembly.places(of: Array(links[anchor...]))
        else { throw damaged(call) }
        let anchorCount = zip(places, anchorPlaces).prefix { $0 == $1 }.count

        let origins = Set(places.map(\.call))
        let rows = try Row.fetchCursor(
            db.cachedStatement(
                sql: "SELECT id, lengths, added FROM call WHERE id IN (SELECT value FROM json_each(?))"),
            arguments: ["[\(origins.map(String.init).joined(separator: ","))]"])
        var own: [Int64: [ArraySlice<UInt8>]] = [:]
        while let row = try rows.next() {
            own[row[0]] = RequestAssembly.parts(row.bytes(2) ?? [], lengths: row.bytes(1) ?? [])
        }
        let bytes = places.compactMap { place in
            own[place.call].flatMap { $0.indices.contains(place.index) ? $0[place.index] : nil }
        }
        guard bytes.count == places.count else { throw damaged(call) }
        return Parts(places: places, bytes: bytes, anchor: links[anchor].call, anchorCount: anchorCount)
    }

    private static func damaged(_ call: Int64) -> StoreError {
        StoreError(.unusable, "the request of call \(call) cannot be put together; the database is damaged")
    }
}
