// Part of Rollcall. SPDX-License-Identifier: Apache-2.0

import EvalProtocol
import Foundation
import GRDB
import Logging
import SQLiteTraceStore
import TestSupport
import Testing
import TraceStore
import WireJSON

@Suite("SQLiteTraceStore: conversations of agents") struct ConversationTests {
    private static let quiet = Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }

    /// A rollout, its agent, and what was recorded of it.
    private struct Rollout {
        let name: String
        var agent: RandomAgent
        var calls: [(id: Int64, sent: RandomAgent.Call)] = []
    }

    @Test("whatever agents do to their histories, requests come back, parents are right, and little is stored twice")
    func conversations() async throws {
        var random = SeededGenerator.printingSeed("conversations")
        let total = isSoak ? 10_000 : 1_000
        let folder = try Folder()
        let path = folder.file("store.sqlite")
        var rollouts = (0..<total / 125).map { number in
            Rollout(name: "r/\(number)", agent: RandomAgent("\(number)", seed: random.next()))
        }
        var ledger = TraceLedger(store: try SQLiteTraceStore(path: path), logger: Self.quiet)
        var count = 0
        var restarts = 0
        while count < total {
            // Rollouts side by side, in one batch or several.
            var batch: [(rollout: Int, call: RandomAgent.Call)] = []
            for _ in 0..<Int.random(in: 1...12, using: &random) {
                let place = Int.random(in: rollouts.indices, using: &random)
                batch += rollouts[place].agent.next().map { (place, $0) }
            }
            let results = try await ledger.commit(batch.map { .call(Self.record($0.call, rollouts[$0.rollout].name)) })
            for (result, entry) in zip(results, batch) {
                rollouts[entry.rollout].calls.append((try Samples.receipt(try result.get()).id, entry.call))
            }
            count += batch.count
            if Int.random(in: 0..<60, using: &random) == 0 {
                // What memory knew is forgotten.
                restarts += 1
                await ledger.finish()
                ledger = TraceLedger(store: try SQLiteTraceStore(path: path), logger: Self.quiet)
            }
        }
        var wrong: [String] = []
        for rollout in rollouts { wrong += try await Self.check(rollout, in: ledger) }
        // Where a history was edited and the agent then goes back to before that, two traces may say as much.
        #expect(wrong.count * 1000 <= count, "\(wrong)")
        await ledger.finish()
        let (stored, new) = try await Self.checkSizes(of: rollouts, in: path)
        print(
            "conversations: \(count) calls, \(restarts) restarts, \(wrong.count) other parents, stored \(stored) bytes, new were \(new)"
        )
    }

    private static func record(_ call: RandomAgent.Call, _ rollout: String) -> CallRecord {
        let body = call.request.body
        let request = (try? JSONFields(of: body.span)).map { RecordedRequest(body: body, fields: $0) }
        #expect(request != nil, "\(call.kind) makes no JSON")
        var record = Samples.call(rollout, state: call.isTrace ? .recorded : .failed)
        record.request = request ?? RecordedRequest(body: body, parts: [])
        record.bodyTags = call.tags
        return record
    }

    /// - Returns: The calls whose parent is another one.
    private static func check(_ rollout: Rollout, in ledger: TraceLedger) async throws -> [String] {
        var wrong: [String] = []
        let links = try await ledger.links(of: Samples.key(rollout.name), attempts: .all, limit: .max)
        #expect(links.map(\.id) == rollout.calls.filter(\.sent.isTrace).map(\.id))
        for (place, call) in rollout.calls.enumerated() {
            let stored = try #require(try await ledger.call(call.id, account: .default))
            // Not with ==, which would show both if they differ.
            let isSame = stored.record.request.body == call.sent.request.body
            #expect(isSame, "\(rollout.name), call \(place), \(call.sent.kind): the request is another")
            #expect(stored.record.metadata.rolloutID == rollout.name)
            guard call.sent.newBytes != nil else { continue }
            // Of several that asked the same any may be the parent.
            let parent = try stored.parent.map { id in try #require(rollout.calls.first { $0.id == id }) }
            let expected = call.sent.parent.map { rollout.calls[$0] }
            let isRight = parent?.sent.request.messages == expected?.sent.request.messages
            let place = "\(rollout.name), call \(place), \(call.sent.kind)"
            let found = rollout.calls.firstIndex { $0.id == stored.parent }
            if !isRight { wrong.append("\(place): the parent is \(found ?? -1), not \(call.sent.parent ?? -1)") }
        }
        return wrong
    }

    /// What stands in the file for each call, against what was new in it.
    private static func checkSizes(of rollouts: [Rollout], in path: String) async throws -> (stored: Int, new: Int) {
        let rows = try await DatabaseQueue(path: path).read { db in
            try Row.fetchAll(
                db,
                sql: """
                    SELECT id, ifnull(length(added), 0), ifnull(length(lengths), 0) + ifnull(length(script), 0)
                      + ifnull(length(envelope), 0) FROM call
                    """
            ).map { (id: $0[0] as Int64, added: $0[1] as Int, rest: $0[2] as Int) }
        }
        let sizes = Dictionary(uniqueKeysWithValues: rows.map { ($0.id, (added: $0.added, rest: $0.rest)) })
        var total = (stored: 0, new: 0)
        for rollout in rollouts {
            for (place, call) in rollout.calls.enumerated() {
                let size = try #require(sizes[call.id])
                guard let new = call.sent.newBytes else { continue }
                total.stored += size.added + size.rest
                total.new += new
                // What is hardly more than a reference may be stored twice.
                let small = call.sent.request.messages.reduce(0) { $0 + ($1.utf8.count < 64 ? $1.utf8.count : 0) }
                let what = "\(rollout.name), call \(place), \(call.sent.kind), new \(new)"
                #expect(size.added <= new + small, "\(what)")
                // A few bytes for a run of parts, a part, and what stands around them.
                let more = call.sent.kind == "odd body" ? new : 12 * call.sent.request.messages.count
                #expect(size.rest < 300 + more, "\(what)")
            }
        }
        #expect(Double(total.stored) < Double(total.new) * 1.5)
        return total
    }
}
