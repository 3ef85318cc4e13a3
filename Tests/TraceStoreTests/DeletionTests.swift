// Part of Rollcall. SPDX-License-Identifier: Apache-2.0

import EvalProtocol
import Foundation
import GRDB
import SQLiteTraceStore
import Testing
import TraceStore

@Suite("TraceStore: deletion of rollouts")
struct DeletionTests {
    private func delete(
        _ store: SQLiteTraceStore, _ rollout: String, account: Account = .default, silentSince time: Int64? = nil
    ) throws -> Bool {
        let deletion = Deletion(Samples.key(rollout, account: account), silentSince: time)
        return try !Samples.receipt(try store.apply([.deletion(deletion)]).outcomes.first).duplicate
    }

    private func rows(_ path: String) throws -> [String: Int] {
        try DatabaseQueue(path: path).read { db in
            var counts: [String: Int] = [:]
            for table in ["rollout", "attempt", "call", "log", "log_rollout", "event", "tag", "tagset", "tagset_tag"] {
                counts[table] = try Int.fetchOne(db, sql: "SELECT count(*) FROM \(table)")
            }
            return counts
        }
    }

    @Test("nothing of the rollout is left, and nothing of another is gone")
    func whole() async throws {
        let folder = try Folder()
        let store = try SQLiteTraceStore(path: folder.file("s"))
        func fill(_ rollout: String, account: Account = .default) throws {
            _ = try store.apply([
                .log(Samples.log(rollout, code: .running, attempt: "a", account: account)),
                .call(Samples.call(rollout, attempt: "a", account: account)),
                .call(Samples.call(rollout, attempt: "a", body: #"{"messages":[{"a":1},{"b":2}]}"#, account: account)),
                .log(Samples.log(rollout, code: .finished, attempt: "a", extraTags: ["step:1"], account: account)),
            ])
        }
        try fill("kept")
        try fill("gone", account: Account("other"))
        let before = try rows(folder.file("s"))
        try fill("gone")
        #expect(try delete(store, "gone"))
        #expect(try rows(folder.file("s")) == before)
        #expect(try await store.state(of: Samples.key("gone")) == nil)
        #expect(try await store.page(of: Samples.key("gone")) == nil)
        #expect(try await store.state(of: Samples.key("kept"))?.status?.code == .finished)
        #expect(try await store.state(of: Samples.key("gone", account: Account("other")))?.status?.code == .finished)
        let calls = try await store.calls(CallQuery(account: .default, tags: ["rollout_id:kept"], limit: 10))
        for call in calls { #expect(try await store.call(call, account: .default) != nil) }
        #expect(calls.count == 2)
        #expect(try !delete(store, "gone"))
        try store.close()
    }

    @Test("a rollout that comes back begins anew, in the same batch too")
    func again() async throws {
        let folder = try Folder()
        let store = try SQLiteTraceStore(path: folder.file("s"))
        _ = try store.apply([.log(Samples.log("r", code: .finished, attempt: "a"))])
        let committed = try store.apply([
            .call(Samples.call("r", attempt: "b")), .deletion(Deletion(Samples.key("r"))),
            .call(Samples.call("r", attempt: "c")), .log(Samples.log("r", code: .running, attempt: "c")),
        ])
        #expect(committed.deleted == [Samples.key("r")])
        #expect(committed.events.map(\.attempt) == ["c"])
        #expect(try Samples.receipt(committed.outcomes[2]).attempt == 1)
        let state = try await store.state(of: Samples.key("r"))
        #expect(state?.attempts.map(\.name) == ["c"])
        #expect(state?.status?.code == .running)
        #expect(try await store.calls(CallQuery(account: .default, tags: ["rollout_id:r"], limit: 10)).count == 1)
        try store.close()
        let reopened = try SQLiteTraceStore(path: folder.file("s"))
        #expect(try await reopened.state(of: Samples.key("r")) == state)
        try reopened.close()
    }

    @Test("a line that two rollouts share goes with the last of them")
    func shared() async throws {
        let folder = try Folder()
        let store = try SQLiteTraceStore(path: folder.file("s"))
        _ = try store.apply([.log(Samples.log("a", "b", code: .finished, message: "both"))])
        let query = LogQuery(account: .default, tags: ["rollout_id:b"], limit: 10)
        #expect(try delete(store, "a"))
        #expect(try await store.logs(query).map(\.message) == ["both"])
        #expect(try await store.state(of: Samples.key("b"))?.status?.code == .finished)
        #expect(try delete(store, "b"))
        #expect(try await store.logs(query).isEmpty)
        #expect(try rows(folder.file("s")).values.allSatisfy { $0 == 0 })
        try store.close()
    }

    @Test("only what has been silent since, and what was only announced when something after it was")
    func silent() async throws {
        let folder = try Folder()
        let clock = Clock()
        let store = try SQLiteTraceStore(path: folder.file("s"), now: { clock.time })
        func at(_ time: Int64, _ records: StoreRecord...) throws {
            clock.time = time
            _ = try store.apply(records)
        }
        try at(100, .registration(Registration(account: .default, metadata: Samples.metadata("announced"))))
        try at(200, .call(Samples.call("old")))
        try at(300, .log(Samples.log("active", code: .running)))
        try at(5000, .log(Samples.log("active")), .call(Samples.call("new")))
        try at(6000, .registration(Registration(account: .default, metadata: Samples.metadata("announced later"))))
        let page = try await store.rollouts(silentSince: 1000, after: nil, limit: 10)
        #expect(page.rollouts.map(\.rolloutID) == ["announced", "old"])
        #expect(page.next == nil)
        let first = try await store.rollouts(silentSince: 1000, after: nil, limit: 2)
        #expect(first.rollouts.map(\.rolloutID) == ["announced", "old"])
        #expect(try await store.rollouts(silentSince: 1000, after: first.next, limit: 2).rollouts.isEmpty)
        // It has woken up since it was looked at.
        try at(7000, .call(Samples.call("old")))
        #expect(try !delete(store, "old", silentSince: 1000))
        #expect(try await store.state(of: Samples.key("old")) != nil)
        #expect(try delete(store, "announced", silentSince: 1000))
        try store.close()
    }

    private final class Clock: @unchecked Sendable {
        // Set and read by the test's own thread, within `apply` as well.
        var time: Int64 = 0
    }
}
