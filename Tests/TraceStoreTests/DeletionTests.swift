// Part of Rollcall. SPDX-License-Identifier: Apache-2.0

import EvalProtocol
import Foundation
import GRDB
import Logging
import SQLiteTraceStore
import Synchronization
import TestSupport
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

    @Test("only what has been silent since, what was only announced included")
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
        try at(400, .log(Samples.log("old too")))
        try at(5000, .log(Samples.log("active")), .call(Samples.call("new")))
        try at(6000, .registration(Registration(account: .default, metadata: Samples.metadata("announced later"))))
        let page = try await store.rollouts(silentSince: 1000, after: nil, limit: 10)
        #expect(page.rollouts.map(\.rolloutID) == ["announced", "old", "old too"])
        #expect(page.next == nil)
        let first = try await store.rollouts(silentSince: 1000, after: nil, limit: 2)
        #expect(first.rollouts.map(\.rolloutID) == ["announced", "old"])
        let second = try await store.rollouts(silentSince: 1000, after: first.next, limit: 3)
        #expect(second.rollouts.map(\.rolloutID) == ["old too"])
        #expect(second.next == nil)
        // It has woken up since it was looked at.
        try at(7000, .call(Samples.call("old")))
        #expect(try !delete(store, "old", silentSince: 1000))
        #expect(try await store.state(of: Samples.key("old")) != nil)
        #expect(try delete(store, "announced", silentSince: 1000))
        // Or in the batch itself.
        let metadata = Samples.metadata("old too", attempt: "a")
        let outcomes = try store.apply([
            .registration(Registration(account: .default, metadata: metadata)),
            .deletion(Deletion(Samples.key("old too"), silentSince: 1000)),
        ]).outcomes
        #expect(try Samples.receipt(outcomes[1]).duplicate)
        #expect(try await store.state(of: Samples.key("old too"))?.newestAttempt?.name == "a")
        try store.close()
    }

    @Test("ids go on rising when the newest is deleted and the clock goes back")
    func ids() async throws {
        let folder = try Folder()
        let clock = Clock()
        clock.time = 1000
        var store = try SQLiteTraceStore(path: folder.file("s"), now: { clock.time })
        _ = try store.apply([.call(Samples.call("old"))])
        clock.time = 5000
        let newest = try Samples.receipt(try store.apply([.call(Samples.call("new"))]).outcomes.first).id
        #expect(try delete(store, "new"))
        try store.close()
        clock.time = 2000
        store = try SQLiteTraceStore(path: folder.file("s"), now: { clock.time })
        #expect(try Samples.receipt(try store.apply([.call(Samples.call("r"))]).outcomes.first).id > newest)
        try store.close()
    }

    @Test("a line sent once more does not bring back a rollout that is gone")
    func repeated() async throws {
        let folder = try Folder()
        let store = try SQLiteTraceStore(path: folder.file("s"))
        let line = Samples.log("a", "b", code: .finished, clientID: "1")
        _ = try store.apply([.log(line)])
        #expect(try delete(store, "a"))
        #expect(try Samples.receipt(try store.apply([.log(line)]).outcomes.first).duplicate)
        #expect(try await store.state(of: Samples.key("a")) == nil)
        try store.close()
    }

    @Test("a subscriber who comes back after everything newer is gone waits for what comes next")
    func subscriber() async throws {
        let folder = try Folder()
        let path = folder.file("s")
        let first = try SQLiteTraceStore(path: path)
        let early = try first.apply([.log(Samples.log("kept", code: .running))]).events[0].sequence
        try first.close()
        let store = CountingStore(try SQLiteTraceStore(path: path))
        let ledger = TraceLedger(store: store, logger: Logger(label: "test") { _ in SwiftLogNoOpLogHandler() })
        _ = try await ledger.commit([.log(Samples.log("gone", code: .running))])
        #expect(try await ledger.delete([Deletion(Samples.key("gone"))]) == 1)
        let events = ledger.subscribe(
            RolloutFilter(rolloutIDs: ["gone", "next"]), account: .default, after: early
        ).makeAsyncIterator()
        let reading = Task {
            var events = events
            return try await events.next()
        }
        try await eventually("reads") { store.reads > 1 }
        // It waits and does not ask the store again and again.
        try await Task.sleep(for: .milliseconds(200))
        #expect(store.reads < 10)
        _ = try await ledger.commit([.log(Samples.log("next", code: .running))])
        guard case .status(let event)? = try await reading.value else {
            throw Samples.Unexpected(description: "no status")
        }
        #expect(event.rollout.rolloutID == "next")
        await ledger.finish()
    }

    private final class Clock: @unchecked Sendable {
        // Set and read by the test's own thread, within `apply` as well.
        var time: Int64 = 0
    }
}

/// A store that counts how often its events are read.
private final class CountingStore: TraceStore {
    private let store: SQLiteTraceStore
    private let count = Atomic<Int>(0)

    init(_ store: SQLiteTraceStore) { self.store = store }

    var reads: Int { count.load(ordering: .relaxed) }

    func events(after sequence: Int64, limit: Int) async throws -> [StatusEvent]? {
        count.add(1, ordering: .relaxed)
        return try await store.events(after: sequence, limit: limit)
    }

    var sizes: StoreSizes { store.sizes }
    func apply(_ batch: [StoreRecord]) throws(StoreError) -> CommittedBatch { try store.apply(batch) }
    func state(of rollout: RolloutKey) async throws -> RolloutState? { try await store.state(of: rollout) }
    func states(
        matching filter: RolloutFilter, account: Account, after cursor: Int64?, limit: Int
    ) async throws -> RolloutStates {
        try await store.states(matching: filter, account: account, after: cursor, limit: limit)
    }
    func watchedRollouts(after cursor: Int64?, limit: Int) async throws -> RolloutStates {
        try await store.watchedRollouts(after: cursor, limit: limit)
    }
    func rollouts(silentSince time: Int64, after cursor: Int64?, limit: Int) async throws -> SilentRollouts {
        try await store.rollouts(silentSince: time, after: cursor, limit: limit)
    }
    func logs(_ query: LogQuery) async throws -> [StoredLog] { try await store.logs(query) }
    func calls(_ query: CallQuery) async throws -> [Int64] { try await store.calls(query) }
    func call(_ id: Int64, account: Account) async throws -> StoredCall? { try await store.call(id, account: account) }
    func page(of rollout: RolloutKey) async throws -> RolloutPage? { try await store.page(of: rollout) }
    func newestEvent() async throws -> Int64 { try await store.newestEvent() }
    func probe() throws(StoreError) { try store.probe() }
    func rest() { store.rest() }
    func close() throws(StoreError) { try store.close() }
}
