// Part of Rollcall. SPDX-License-Identifier: Apache-2.0

import EvalProtocol
import Logging
import SQLiteTraceStore
import Testing
import TraceStore

@Suite("TraceStore: subscriptions to statuses")
struct StatusSubscriptionTests {
    private static func ledger(_ folder: Folder, maximumEvents: Int = 8_192) throws -> TraceLedger {
        var configuration = TraceLedger.Configuration()
        configuration.maximumEvents = maximumEvents
        return TraceLedger(
            store: try SQLiteTraceStore(path: folder.file("s")), configuration: configuration,
            logger: Logger(label: "test") { _ in SwiftLogNoOpLogHandler() })
    }

    private static func post(
        _ ledger: TraceLedger, _ rollout: String, _ code: StatusCode? = .finished, experiment: String? = "e",
        account: Account = .default
    ) async throws {
        let tags = experiment.map { ["experiment_id:\($0)"] } ?? []
        _ = try await ledger.commit([.log(Samples.log(rollout, code: code, extraTags: tags, account: account))])
    }

    /// The next element in a word.
    private static func word(_ iterator: inout StatusSubscription.AsyncIterator) async throws -> String {
        switch try await iterator.next() {
        case .status(let event):
            "\(event.rollout.rolloutID) \(event.status.code.rawValue)\(event.sequence == nil ? "" : " live")"
        case .reset: "reset"
        case .ready: "ready"
        case nil: "end"
        }
    }

    private static let filter = RolloutFilter(experimentIDs: ["e"])

    @Test("current statuses, then ready, then each new one, then the end")
    func fresh() async throws {
        let folder = try Folder()
        let ledger = try Self.ledger(folder)
        try await Self.post(ledger, "a")
        try await Self.post(ledger, "b", .running)
        try await Self.post(ledger, "x", experiment: "other")
        try await Self.post(ledger, "y", account: Account("other"))
        var events = ledger.subscribe(Self.filter, account: .default).makeAsyncIterator()
        for expected in ["a 100", "b 101", "ready"] { #expect(try await Self.word(&events) == expected) }
        try await Self.post(ledger, "x", experiment: "other")
        try await Self.post(ledger, "a", nil)
        try await Self.post(ledger, "b")
        #expect(try await Self.word(&events) == "b 100 live")
        await ledger.finish()
        #expect(try await Self.word(&events) == "end")
    }

    @Test("one that comes back gets what it missed, from memory or from the store", arguments: [8_192, 2])
    func resuming(maximumEvents: Int) async throws {
        let folder = try Folder()
        let ledger = try Self.ledger(folder, maximumEvents: maximumEvents)
        var events = ledger.subscribe(Self.filter, account: .default).makeAsyncIterator()
        #expect(try await Self.word(&events) == "ready")
        try await Self.post(ledger, "a")
        guard case .status(let first) = try await events.next(), let sequence = first.sequence else {
            Issue.record("no status")
            return
        }
        for number in 0..<10 { try await Self.post(ledger, "r\(number)") }
        for number in 0..<10 { #expect(try await Self.word(&events) == "r\(number) 100 live") }
        var again = ledger.subscribe(Self.filter, account: .default, after: sequence).makeAsyncIterator()
        for number in 0..<10 { #expect(try await Self.word(&again) == "r\(number) 100 live") }
        await ledger.finish()
    }

    @Test("an id that is unknown, or newer than any, begins anew")
    func unknown() async throws {
        let folder = try Folder()
        let ledger = try Self.ledger(folder)
        try await Self.post(ledger, "a")
        for id in [Int64.max, 12345] {
            var events = ledger.subscribe(Self.filter, account: .default, after: id).makeAsyncIterator()
            for expected in ["reset", "a 100", "ready"] { #expect(try await Self.word(&events) == expected) }
        }
        await ledger.finish()
    }

    @Test("an id older than what is kept begins anew, and the oldest that is kept does not")
    func forgotten() async throws {
        let folder = try Folder()
        let store = try SQLiteTraceStore(path: folder.file("s"))
        var sequences: [Int64] = []
        for _ in 0..<102 {
            let lines = (0..<1000).map { _ in
                StoreRecord.log(Samples.log("a", code: .running, extraTags: ["experiment_id:e"]))
            }
            sequences += try store.apply(lines).events.compactMap(\.sequence)
        }
        #expect(sequences.count == 102_000 && sequences == sequences.sorted())
        let ledger = TraceLedger(store: store, logger: Logger(label: "test") { _ in SwiftLogNoOpLogHandler() })
        for id in [sequences[0], sequences[999]] {
            var events = ledger.subscribe(Self.filter, account: .default, after: id).makeAsyncIterator()
            for expected in ["reset", "a 101", "ready"] { #expect(try await Self.word(&events) == expected) }
        }
        // At least the last hundred thousand are kept.
        var events = ledger.subscribe(Self.filter, account: .default, after: sequences[2_000]).makeAsyncIterator()
        guard case .status(let next) = try await events.next() else {
            Issue.record("no status")
            return
        }
        #expect(next.sequence == sequences[2_001])
        await ledger.finish()
    }

    @Test("a restart of the gateway is no break")
    func restart() async throws {
        let folder = try Folder()
        var ledger = try Self.ledger(folder)
        try await Self.post(ledger, "a")
        var events = ledger.subscribe(Self.filter, account: .default).makeAsyncIterator()
        #expect(try await Self.word(&events) == "a 100")
        guard case .ready(let sequence) = try await events.next() else {
            Issue.record("not ready")
            return
        }
        try await Self.post(ledger, "b")
        await ledger.finish()
        ledger = try Self.ledger(folder)
        var again = ledger.subscribe(Self.filter, account: .default, after: sequence).makeAsyncIterator()
        #expect(try await Self.word(&again) == "b 100 live")
        try await Self.post(ledger, "c")
        #expect(try await Self.word(&again) == "c 100 live")
        await ledger.finish()
    }

    @Test("when a mapping becomes known the current status is told at once, to those who had not heard it")
    func mapping() async throws {
        let folder = try Folder()
        let ledger = try Self.ledger(folder)
        try await Self.post(ledger, "a", .running, experiment: nil)
        var members = ledger.subscribe(Self.filter, account: .default).makeAsyncIterator()
        var owners = ledger.subscribe(RolloutFilter(rolloutIDs: ["a"]), account: .default).makeAsyncIterator()
        #expect(try await Self.word(&members) == "ready")
        #expect(try await Self.word(&owners) == "a 101")
        #expect(try await Self.word(&owners) == "ready")
        _ = try await ledger.commit([.registration(Registration(account: .default, metadata: Samples.metadata("a")))])
        #expect(try await Self.word(&members) == "a 101 live")
        try await Self.post(ledger, "a", .finished, experiment: nil)
        #expect(try await Self.word(&members) == "a 100 live")
        #expect(try await Self.word(&owners) == "a 100 live")
        await ledger.finish()
    }

    @Test("a waiting subscriber can be cancelled")
    func cancelled() async throws {
        let folder = try Folder()
        let ledger = try Self.ledger(folder)
        let reader = Task {
            for try await _ in ledger.subscribe(Self.filter, account: .default) {}
        }
        reader.cancel()
        await #expect(throws: CancellationError.self) { try await reader.value }
        await ledger.finish()
    }
}
