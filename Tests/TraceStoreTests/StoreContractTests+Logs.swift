// Part of Rollcall. SPDX-License-Identifier: Apache-2.0

import EvalProtocol
import Testing
import TraceStore

/// Log lines, and the statuses that they set.
extension StoreContractTests {
    @Test("lines come back as they were posted, newest first", arguments: StoreKind.allCases)
    func lines(kind: StoreKind) async throws {
        let folder = try Folder()
        let store = try kind.open(folder)
        var odd = Samples.log("r", message: "nul \u{0} and more", extraTags: ["x:\u{e9}", "x:e\u{301}"])
        odd.program = "p"
        odd.extras = Array(#"{"bool": true, "one": 1, "uno": 1.0, "s": "\ud83d"}"#.utf8)
        let ids = try receipts(
            store,
            [
                .log(odd), .log(Samples.log("r", message: "2")), .log(Samples.log("s", message: "3")),
                .log(Samples.log("r", message: "other", account: Account("other"))),
                .log(Samples.log("r", message: "")),
            ]
        ).map(\.id)
        #expect(try await logs(store, "rollout_id:r") == ["", "2", odd.message])
        #expect(try await logs(store, "rollout_id:r", limit: 2) == ["", "2"])
        #expect(try await logs(store, "rollout_id:r", program: "p") == [odd.message])
        #expect(try await logs(store, "rollout_id:r", since: ids[1]) == ["", "2"])
        #expect(try await logs(store, "rollout_id:r", "x:\u{e9}") == [odd.message])
        #expect(try await logs(store, "x:nothing") == [])
        #expect(try await logs(store, "rollout_id:nobody") == [])
        #expect(try await logs(store, "rollout_id:r", account: Account("other")) == ["other"])
        let query = LogQuery(account: .default, tags: ["rollout_id:r"], program: "p", limit: 1)
        let line = try #require(try await store.logs(query).first)
        #expect(line.tags.map { Array($0.utf8) } == odd.tags.map { Array($0.utf8) })
        #expect(line.extras == odd.extras)
        #expect(line.status == nil)
        #expect(line.id == ids[0])
        try store.close()
    }

    @Test("a status counts for every rollout of its line", arguments: StoreKind.allCases)
    func group(kind: StoreKind) async throws {
        let folder = try Folder()
        let store = try kind.open(folder)
        let line = Samples.log("a", "b", "c", code: .finished, attempt: "x", extraTags: ["experiment_id:e1"])
        let committed = try store.apply([.call(Samples.call("b", attempt: "y")), .log(line)])
        #expect(committed.events.map(\.rollout.rolloutID) == ["a", "b", "c"])
        #expect(committed.events.map(\.attempt) == ["x", "y", nil])
        #expect(committed.events.allSatisfy { $0.ids.experimentID == "e1" })
        for name in ["a", "b", "c"] {
            let state = try #require(try await store.state(of: Samples.key(name)))
            #expect(state.status?.code == .finished)
            #expect(state.status?.status == line.status)
            #expect(state.status?.extras == line.extras)
            #expect(committed.states.contains { $0.0.rolloutID == name && $0.1 == state })
            #expect(try await logs(store, "rollout_id:\(name)") == ["m"])
        }
        #expect(try await store.state(of: Samples.key("a", account: Account("other"))) == nil)
        try store.close()
    }

    @Test("superseded lines and older attempts show when asked for", arguments: StoreKind.allCases)
    func attempts(kind: StoreKind) async throws {
        let folder = try Folder()
        let store = try kind.open(folder)
        let outcomes = try receipts(
            store,
            [
                .log(Samples.log("r", message: "before")),
                .log(Samples.log("r", code: .running, attempt: "a", message: "a running")),
                .call(Samples.call("r", attempt: "a")),
                .log(Samples.log("r", code: .running, attempt: "b", message: "b running")),
                .log(Samples.log("r", code: .cancelled, attempt: "a", message: "a cancelled")),
                .log(Samples.log("r", code: .finished, attempt: "zero", message: "unseen")),
                .call(Samples.call("r")),
                .log(Samples.log("r", code: .finished, message: "b finished")),
                .log(Samples.log("r", code: .internal, attempt: "b", message: "too late")),
            ])
        #expect(outcomes.map(\.attempt) == [nil, 1, 1, 2, 1, nil, 2, 2, 2])
        #expect(outcomes.map(\.current) == [nil, true, true, true, false, false, true, true, true])
        #expect(outcomes.map(\.final) == [nil, nil, nil, nil, .cancelled, nil, nil, .finished, .finished])
        let tag = "rollout_id:r"
        #expect(try await logs(store, tag) == ["b finished", "b running"])
        let all = ["too late", "b finished", "unseen", "a cancelled", "b running", "a running", "before"]
        #expect(try await logs(store, tag, attempts: .all) == all)
        let first = try #require(AttemptID("a"))
        #expect(try await logs(store, tag, attempts: .named(first)) == ["a cancelled", "a running"])
        #expect(try await logs(store, tag, attempts: .named(#require(AttemptID("none")))) == [])
        #expect(try await calls(store, [tag]) == [outcomes[6].id])
        #expect(try await calls(store, [tag], attempts: .all) == [outcomes[6].id, outcomes[2].id])
        #expect(try await calls(store, [tag], attempts: .named(first)) == [outcomes[2].id])
        let stored = try await store.logs(LogQuery(account: .default, tags: [tag], limit: 9, attempts: .all))
        #expect(stored.map(\.superseded) == [true, false, true, false, false, false, false])
        #expect(stored.map(\.attempt) == [2, 2, nil, 1, 2, 1, nil])
        try store.close()
    }

    @Test("the line that set the status is in every answer, whatever the limit", arguments: StoreKind.allCases)
    func statusLine(kind: StoreKind) async throws {
        let folder = try Folder()
        let store = try kind.open(folder)
        var records: [StoreRecord] = [.log(Samples.log("r", "s", code: .finished, message: "the end"))]
        for number in 0..<10 { records.append(.log(Samples.log("r", "s", message: "\(number)"))) }
        _ = try store.apply(records)
        for tag in ["rollout_id:r", "rollout_id:s"] {
            #expect(try await logs(store, tag, limit: 3) == ["9", "8", "the end"])
            #expect(try await logs(store, tag, limit: 1) == ["the end"])
            #expect(try await logs(store, tag, limit: 0) == ["the end"])
            #expect(try await logs(store, tag, limit: 11).count == 11)
            #expect(try await logs(store, tag, program: "other", limit: 3) == [])
            #expect(try await logs(store, tag, program: "other", limit: 0) == [])
        }
        try store.close()
    }

    @Test("of lines that are too many bytes the newest come, one at least, and the one that set the status")
    func bytes() async throws {
        let folder = try Folder()
        let store = try StoreKind.sqlite.open(folder)
        var records: [StoreRecord] = [.log(Samples.log("r", code: .finished, message: "the end"))]
        for number in 0..<10 {
            let text = "\(number)" + String(repeating: "x", count: 10_000)
            records.append(.log(Samples.log("r", message: text)))
        }
        _ = try store.apply(records)
        func lines(_ maximumBytes: Int, limit: Int = 100) async throws -> [String] {
            var query = LogQuery(account: .default, tags: ["rollout_id:r"], limit: limit)
            query.maximumBytes = maximumBytes
            return try await store.logs(query).map { $0.message.count > 10 ? String($0.message.prefix(1)) : $0.message }
        }
        #expect(try await lines(.max).count == 11)
        #expect(try await lines(35_000) == ["9", "8", "7", "the end"])
        #expect(try await lines(35_000, limit: 2) == ["9", "the end"])
        #expect(try await lines(1) == ["9", "the end"])
        #expect(try await lines(1, limit: 1) == ["the end"])
        try store.close()
    }

    @Test("a repeat changes nothing; other content under the same id is stored", arguments: StoreKind.allCases)
    func repeats(kind: StoreKind) async throws {
        let folder = try Folder()
        let store = try kind.open(folder)
        let line = Samples.log("r", code: .finished, attempt: "a", clientID: "1")
        let first = try receipts(store, [.log(line), .log(line)])
        #expect(first.map(\.duplicate) == [false, true])
        #expect(first[0].id == first[1].id)
        #expect(first[1].final == .finished)
        var other = line
        other.message = "other"
        let second = try store.apply([.log(other), .log(line), .log(Samples.log("r", attempt: "a"))])
        #expect(try second.outcomes.map { try Samples.receipt($0).duplicate } == [false, true, false])
        var foreign = line
        foreign.account = Account("other")
        #expect(try receipts(store, [.log(foreign)])[0].duplicate == false)
        #expect(try await logs(store, "rollout_id:r", attempts: .all).count == 3)
        try store.close()
    }
}
