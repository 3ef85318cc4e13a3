// Part of Rollcall. SPDX-License-Identifier: Apache-2.0

import EvalProtocol
import Logging
import SQLiteTraceStore
import Synchronization
import TestSupport
import Testing
import TraceStore

@Suite("TraceStore: the ledger")
struct TraceLedgerTests {
    private static let quiet = Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }

    private static func ledger(
        _ store: any TraceStore, _ change: (inout TraceLedger.Configuration) -> Void = { _ in }
    ) -> TraceLedger {
        var configuration = TraceLedger.Configuration()
        configuration.writer.probeInterval = .milliseconds(5)
        change(&configuration)
        return TraceLedger(store: store, configuration: configuration, logger: quiet)
    }

    private static func hasRoom(_ ledger: TraceLedger, bytes: Int) -> Bool {
        switch ledger.reserve(bytes: bytes) {
        case .some: true
        case .none: false
        }
    }

    @Test("what was acknowledged can be seen in memory and in the store")
    func visible() async throws {
        let folder = try Folder()
        let ledger = Self.ledger(try SQLiteTraceStore(path: folder.file("s")))
        for number in 0..<100 {
            let key = Samples.key("r\(number)")
            let results = try await ledger.commit([
                .log(Samples.log(key.rolloutID, code: .running)), .log(Samples.log(key.rolloutID, code: .finished)),
            ])
            #expect(try Samples.receipt(results[1].get()).id > Samples.receipt(results[0].get()).id)
            #expect(try await ledger.state(of: key)?.status?.code == .finished)
            let query = LogQuery(account: .default, tags: ["rollout_id:\(key.rolloutID)"], limit: 10)
            #expect(try await ledger.logs(query).count == 2)
        }
        await ledger.finish()
    }

    @Test("many submit at once, each is answered once, and finishing commits all")
    func load() async throws {
        let folder = try Folder()
        let store = try SQLiteTraceStore(path: folder.file("s"))
        let ledger = Self.ledger(store)
        let stored = Collected()
        await withTaskGroup(of: Void.self) { group in
            for worker in 0..<8 {
                group.addTask {
                    for _ in 0..<200 {
                        let call = Samples.call("r\(worker)")
                        guard let room = ledger.reserve(bytes: call.byteCount) else {
                            Issue.record("no room")
                            return
                        }
                        ledger.submit(.call(call), room) { result in
                            if case .success(.stored(let receipt)) = result { stored.append(receipt.id) }
                        }
                    }
                }
            }
        }
        await ledger.finish()
        let ids = stored.ids
        #expect(Set(ids).count == 1600)
        #expect(ids == ids.sorted())
        #expect(!Self.hasRoom(ledger, bytes: 1))
    }

    @Test("room is bounded, grows, and comes back")
    func room() async throws {
        let folder = try Folder()
        let ledger = Self.ledger(try SQLiteTraceStore(path: folder.file("s"))) {
            $0.writer.maximumPendingRecords = 2
            $0.writer.maximumPendingBytes = 10_000
        }
        do {
            guard var first = ledger.reserve(bytes: 4_000) else { throw Samples.Unexpected(description: "no room") }
            let grew = first.grow(by: 4_000)
            let grewTooFar = first.grow(by: 4_000)
            #expect(grew && !grewTooFar)
            #expect(!Self.hasRoom(ledger, bytes: 4_000))
            guard let second = ledger.reserve(bytes: 1_000) else {
                throw Samples.Unexpected(description: "no room")
            }
            #expect(!Self.hasRoom(ledger, bytes: 1))
            // A status is not counted among the records.
            let results = try await ledger.commit([.log(Samples.log("r", code: .finished))])
            #expect(results.count == 1)
            #expect(first.bytes + second.bytes == 9_000)
        }
        guard let all = ledger.reserve(bytes: 10_000) else { throw Samples.Unexpected(description: "no room") }
        await #expect(throws: StoreError.self) { try await ledger.commit([.log(Samples.log("r"))]) }
        #expect(all.bytes == 10_000)
        await ledger.finish()
    }

    @Test("a store that takes no writes is unhealthy until it does")
    func health() async throws {
        let folder = try Folder()
        let store = try SQLiteTraceStore(path: folder.file("s"))
        let ledger = Self.ledger(store)
        _ = try await ledger.commit([.log(Samples.log("r", code: .running))])
        try store.limitSize(toPages: 1)
        let large = String(repeating: "x", count: 500_000)
        let results = try await ledger.commit([.log(Samples.log("r", code: .finished, message: large))])
        guard case .failure(let error) = results[0] else {
            Issue.record("stored on a full disk")
            return
        }
        #expect(error.reason == .unavailable)
        #expect(!ledger.health.isHealthy)
        #expect(!Self.hasRoom(ledger, bytes: 1))
        #expect(try await ledger.state(of: Samples.key("r"))?.status?.code == .running)
        try store.limitSize(toPages: nil)
        try await eventually("healthy store") { ledger.health.isHealthy }
        _ = try await ledger.commit([.log(Samples.log("r", code: .finished))])
        #expect(try await ledger.state(of: Samples.key("r"))?.status?.code == .finished)
        await ledger.finish()
    }

    @Test("one record at fault fails alone")
    func fault() async throws {
        let store = FaultyStore(fault: "bad")
        let ledger = Self.ledger(store)
        let records = (0..<20).map { StoreRecord.log(Samples.log("r", message: $0 == 7 ? "bad" : "good")) }
        let results = try await ledger.commit(records)
        for (index, result) in results.enumerated() {
            if case .failure(let error) = result {
                #expect(index == 7)
                #expect(error.reason == .refused)
            }
        }
        #expect(store.applied.withLock { $0 } == 19)
        #expect(ledger.health.isHealthy)
        await ledger.finish()
    }

    @Test("a wait ends with the status, with the time, with cancellation and with the ledger")
    func waiting() async throws {
        let folder = try Folder()
        let ledger = Self.ledger(try SQLiteTraceStore(path: folder.file("s")))
        @Sendable func ended(_ state: RolloutState?) -> Bool { state?.status?.code.isTerminal ?? false }
        let key = Samples.key("r")
        let waits = (0..<50).map { _ in
            Task { try await ledger.state(of: key, waiting: .seconds(60), until: ended) }
        }
        _ = try await ledger.commit([.log(Samples.log("r", code: .running))])
        _ = try await ledger.commit([.log(Samples.log("r", code: .finished))])
        for wait in waits { #expect(try await wait.value?.status?.code == .finished) }

        #expect(try await ledger.state(of: Samples.key("no"), waiting: .milliseconds(20), until: ended) == nil)
        let cancelled = Task { try await ledger.state(of: Samples.key("no"), waiting: .seconds(60), until: ended) }
        cancelled.cancel()
        await #expect(throws: CancellationError.self) { try await cancelled.value }
        let last = Task { try await ledger.state(of: Samples.key("no"), waiting: .seconds(60), until: ended) }
        await Task.yield()
        await ledger.finish()
        _ = await last.result
    }

    @Test("states that memory has forgotten are read again")
    func forgotten() async throws {
        let folder = try Folder()
        let ledger = Self.ledger(try SQLiteTraceStore(path: folder.file("s"))) { $0.maximumRollouts = 2 }
        for number in 0..<10 { _ = try await ledger.commit([.log(Samples.log("r\(number)", code: .finished))]) }
        for number in 0..<10 {
            #expect(try await ledger.state(of: Samples.key("r\(number)"))?.status?.code == .finished)
        }
        await ledger.finish()
    }

    @Test("calls are counted from their start")
    func counts() async throws {
        let folder = try Folder()
        let ledger = Self.ledger(try SQLiteTraceStore(path: folder.file("s")))
        _ = ledger.callStarts(Samples.key("r"), attempt: nil, recorded: true)
        _ = ledger.callStarts(Samples.key("r"), attempt: nil, recorded: true)
        _ = ledger.callStarts(Samples.key("r"), attempt: nil, recorded: false)
        _ = try await ledger.commit([.call(Samples.call("r"))])
        let page = try #require(try await ledger.page(of: Samples.key("r")))
        #expect([page.startedCalls, page.unrecordedCalls, page.recordedCalls] == [2, 1, 1])
        await ledger.finish()
    }
}

/// Ids in the order they were told.
private final class Collected: Sendable {
    private let state = Mutex<[Int64]>([])

    var ids: [Int64] { state.withLock { $0 } }

    func append(_ id: Int64) { state.withLock { $0.append(id) } }
}

/// Refuses batches with a certain line.
final class FaultyStore: TraceStore {
    let fault: String
    let applied = Mutex(0)

    init(fault: String) { self.fault = fault }

    func apply(_ batch: [StoreRecord]) throws(StoreError) -> CommittedBatch {
        for case .log(let log) in batch where log.message == fault { throw StoreError(.refused, "at fault") }
        applied.withLock { $0 += batch.count }
        return CommittedBatch(
            outcomes: batch.indices.map { .stored(StoredReceipt(id: Int64($0))) }, states: [], events: [])
    }

    func state(of rollout: RolloutKey) async throws -> RolloutState? { nil }

    var sizes: StoreSizes { StoreSizes(database: 0, log: 0) }

    func watchedRollouts(after cursor: Int64?, limit: Int) async throws -> RolloutStates {
        RolloutStates(states: [], next: nil)
    }

    func rollouts(silentSince time: Int64, after cursor: Int64?, limit: Int) async throws -> SilentRollouts {
        SilentRollouts(rollouts: [], next: nil)
    }

    func states(
        matching filter: RolloutFilter, account: Account, after cursor: Int64?, limit: Int
    ) async throws -> RolloutStates { RolloutStates(states: [], next: nil) }

    func logs(_ query: LogQuery) async throws -> [StoredLog] { [] }

    func calls(_ query: CallQuery) async throws -> [Int64] { [] }

    func call(_ id: Int64, account: Account) async throws -> StoredCall? { nil }

    func page(of rollout: RolloutKey) async throws -> RolloutPage? { nil }

    func events(after sequence: Int64, limit: Int) async throws -> [StatusEvent]? { [] }

    func newestEvent() async throws -> Int64 { 0 }

    func probe() throws(StoreError) {}

    func rest() {}

    func close() throws(StoreError) {}
}
