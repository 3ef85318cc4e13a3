// Part of Rollcall. SPDX-License-Identifier: Apache-2.0

import EvalProtocol
import Testing
import TraceStore

@Suite("TraceStore: the contract, in every store")
struct StoreContractTests {
    func receipts(_ store: any TraceStore, _ records: [StoreRecord]) throws -> [StoredReceipt] {
        try store.apply(records).outcomes.map { try Samples.receipt($0) }
    }

    func logs(
        _ store: any TraceStore, _ tags: String..., program: String? = nil, limit: Int = 100, since: Int64? = nil,
        attempts: AttemptSelection = .newest, account: Account = .default
    ) async throws -> [String] {
        let query = LogQuery(
            account: account, tags: tags, program: program, limit: limit, since: since, attempts: attempts)
        return try await store.logs(query).map(\.message)
    }

    func calls(
        _ store: any TraceStore, _ tags: [String], limit: Int = 100, since: Int64? = nil, until: Int64? = nil,
        attempts: AttemptSelection = .newest, account: Account = .default
    ) async throws -> [Int64] {
        try await store.calls(
            CallQuery(account: account, tags: tags, limit: limit, since: since, until: until, attempts: attempts))
    }

    @Test("a call comes back as it was recorded", arguments: StoreKind.allCases)
    func call(kind: StoreKind) async throws {
        let folder = try Folder()
        let store = try kind.open(folder)
        var call = Samples.call("r\u{0}1", attempt: "a", body: #"{"messages": [ {"role": "user" } ], "x":"\u0000"}"#)
        call.bodyTags = ["step:1", "rollout_id:other"]
        call.edits = ["one", "two"]
        call.answerStatus = 200
        call.streamed = true
        call.requestedModel = "a"
        call.answeredModel = "b"
        call.fingerprint = "f"
        call.policyVersion = "7"
        call.finishReason = "stop"
        call.usage = Usage(promptTokens: 3, completionTokens: 4)
        call.microsecondsToFirstByte = 5
        call.answer = Array(#"{"choices":[{"text":"\u0000"}]}"#.utf8)
        let receipt = try receipts(store, [.call(call)])[0]
        #expect(receipt.attempt == 1)
        #expect(receipt.current == true)
        let stored = try #require(try await store.call(receipt.id, account: .default))
        #expect(stored.id == receipt.id)
        #expect(stored.attempt == 1)
        #expect(stored.parent == nil)
        #expect(stored.tags == call.metadata.tags + call.bodyTags + ["insertion_id:\(receipt.id)"])
        #expect(stored.record.metadata == call.metadata)
        #expect(stored.record.bodyTags == call.bodyTags)
        #expect(stored.record.request.body == call.request.body)
        #expect(stored.record.answer == call.answer)
        #expect(stored.record.edits == call.edits)
        #expect(stored.record.usage == call.usage)
        #expect(stored.record.streamed)
        #expect(stored.record.policyVersion == "7")
        #expect(stored.record.microsecondsToFirstByte == 5)
        #expect(try await store.call(receipt.id, account: Account("other")) == nil)
        #expect(try await store.call(receipt.id + 1, account: .default) == nil)
        try store.close()
    }

    @Test("calls are found by all of their tags, newest first, only recorded ones", arguments: StoreKind.allCases)
    func callQueries(kind: StoreKind) async throws {
        let folder = try Folder()
        let store = try kind.open(folder)
        var tagged = Samples.call("a")
        tagged.bodyTags = ["step:1"]
        let ids = try receipts(
            store,
            [
                .call(Samples.call("a")), .call(tagged), .call(Samples.call("b")),
                .call(Samples.call("a", state: .failed)), .call(Samples.call("a", state: .cut)),
                .call(Samples.call("a", account: Account("other"))),
            ]
        ).map(\.id)
        #expect(ids == ids.sorted() && Set(ids).count == ids.count)
        #expect(try await calls(store, ["rollout_id:a"]) == [ids[1], ids[0]])
        #expect(try await calls(store, ["rollout_id:a"], limit: 1) == [ids[1]])
        #expect(try await calls(store, ["rollout_id:a"], limit: 0) == [])
        #expect(try await calls(store, ["experiment_id:e"]) == [ids[2], ids[1], ids[0]])
        #expect(try await calls(store, ["experiment_id:e", "step:1"]) == [ids[1]])
        #expect(try await calls(store, ["step:1", "rollout_id:b"]) == [])
        #expect(try await calls(store, ["rollout_id:"]) == [])
        #expect(try await calls(store, ["insertion_id:\(ids[0])"]) == [ids[0]])
        #expect(try await calls(store, ["rollout_id:a", "insertion_id:\(ids[2])"]) == [])
        #expect(try await calls(store, ["insertion_id:x"]) == [])
        #expect(try await calls(store, ["experiment_id:e"], since: ids[1]) == [ids[2], ids[1]])
        #expect(try await calls(store, ["experiment_id:e"], until: ids[1]) == [ids[1], ids[0]])
        #expect(try await calls(store, ["rollout_id:a"], account: Account("other")) == [ids[5]])
        #expect(try await calls(store, ["rollout_id:a"], account: Account("third")) == [])
        try store.close()
    }

    @Test("a call that is amended keeps its request", arguments: StoreKind.allCases)
    func amendment(kind: StoreKind) async throws {
        let folder = try Folder()
        let store = try kind.open(folder)
        let id = try receipts(store, [.call(Samples.call("a"))])[0].id
        let amendment = CallAmendment(
            account: .default, callID: id, answer: Array("{}".utf8), finishReason: "stop",
            usage: Usage(promptTokens: 1, completionTokens: 2), microsecondsToEnd: 9)
        _ = try receipts(store, [.amendment(amendment)])
        let stored = try #require(try await store.call(id, account: .default))
        #expect(stored.record.answer == Array("{}".utf8))
        #expect(stored.record.usage?.totalTokens == 3)
        #expect(!stored.record.request.body.isEmpty)
        var foreign = amendment
        foreign.account = Account("other")
        guard case .conflict = try store.apply([.amendment(foreign)]).outcomes[0] else {
            Issue.record("another account's call was amended")
            return
        }
        try store.close()
    }

    @Test("what was captured comes back, and a prompt costs what its turn added", arguments: StoreKind.allCases)
    func captured(kind: StoreKind) async throws {
        let folder = try Folder()
        var store = try kind.open(folder)
        var expected: [(id: Int64, captured: CapturedTokens)] = []
        var messages: [String] = []
        for turn in 0..<40 {
            messages.append(#"{"role":"user","content":"\(turn)"}"#)
            var call = Samples.call("r", body: #"{"messages":[\(messages.joined(separator: ","))]}"#)
            call.policyVersion = "v\(turn)"
            call.captured = CapturedTokens(
                capture: turn % 2 == 0 ? .tokens : .logprobs, missing: turn % 3 == 0 ? ["prompt_token_ids"] : [],
                reasons: turn % 3 == 0 ? ["because of \"this\"\n"] : [],
                promptTokenIDs: turn % 5 == 4 ? [] : (0..<Int32(turn * 20 + 5)).map { $0 * 7 + 1 },
                choices: turn % 4 == 3 ? [] : [.init(logprobs: [1, 2, UInt8(turn)]), .init(routing: [3])])
            expected.append((try receipts(store, [.call(call)])[0].id, call.captured))
            if turn == 20 {  // what memory knew is forgotten
                try store.close()
                store = try kind.open(folder)
            }
        }
        for (id, captured) in expected {
            let stored = try #require(try await store.call(id, account: .default))
            #expect(stored.record.captured == captured && stored.record.policyVersion?.hasPrefix("v") == true)
        }
        var amendment = CallAmendment(
            account: .default, callID: expected[1].id, answer: Array("{}".utf8), finishReason: nil, usage: nil,
            microsecondsToEnd: 9)
        _ = try receipts(store, [.amendment(amendment)])
        #expect(try await store.call(expected[1].id, account: .default)?.record.captured == expected[1].captured)
        amendment.captured = CapturedTokens(capture: .logprobs, choices: [.init(logprobs: [9])])
        _ = try receipts(store, [.amendment(amendment)])
        let amended = try #require(try await store.call(expected[1].id, account: .default)).record.captured
        #expect(amended.choices == [.init(logprobs: [9])] && amended.missing.isEmpty)
        #expect(amended.promptTokenIDs == expected[1].captured.promptTokenIDs)
        try store.close()
    }

    @Test("registration is idempotent, other ids conflict", arguments: StoreKind.allCases)
    func registration(kind: StoreKind) async throws {
        let folder = try Folder()
        let store = try kind.open(folder)
        func register(_ metadata: RolloutMetadata) throws -> RecordOutcome {
            try store.apply([.registration(Registration(account: .default, metadata: metadata))]).outcomes[0]
        }
        #expect(try Samples.receipt(try register(Samples.metadata("r"))).attempt == nil)
        #expect(try Samples.receipt(try register(Samples.metadata("r", attempt: "a"))).attempt == 1)
        #expect(try Samples.receipt(try register(Samples.metadata("r", attempt: "a"))).attempt == 1)
        guard case .conflict(let reason) = try register(Samples.metadata("r", experiment: "other")) else {
            Issue.record("no conflict")
            return
        }
        #expect(reason.contains("r") && reason.contains("other ids"))
        let state = try #require(try await store.state(of: Samples.key("r")))
        #expect(state.ids.experimentID == "e")
        #expect(state.attempts.map(\.name) == ["a"])
        try store.close()
    }

    @Test("events and states can be read in pages", arguments: StoreKind.allCases)
    func events(kind: StoreKind) async throws {
        let folder = try Folder()
        let store = try kind.open(folder)
        #expect(try await store.newestEvent() == 0)
        #expect(try await store.events(after: 0, limit: 10)?.count == 0)
        var told: [Int64?] = []
        for number in 0..<10 {
            let line = Samples.log("r\(number)", code: .finished, extraTags: ["experiment_id:e\(number % 2)"])
            told += try store.apply([.log(line)]).events.map(\.sequence)
        }
        let sequences = told.compactMap { $0 }
        #expect(sequences.count == 10)
        #expect(try await store.newestEvent() == sequences[9])
        #expect(try await store.events(after: 0, limit: 3)?.map(\.sequence) == Array(told[..<3]))
        let rest = try #require(try await store.events(after: sequences[6], limit: 10))
        #expect(rest.map(\.rollout.rolloutID) == ["r7", "r8", "r9"])
        #expect(rest.allSatisfy { $0.status.code == .finished && $0.formerIDs == nil })
        #expect(try await store.events(after: sequences[9] + 1, limit: 10) == nil)
        #expect(try await store.events(after: sequences[3] + 1, limit: 10) == nil)

        let filter = RolloutFilter(experimentIDs: ["e1"])
        let page = try await store.states(matching: filter, account: .default, after: nil, limit: 3)
        #expect(page.states.map(\.rollout.rolloutID) == ["r1", "r3", "r5"])
        let next = try await store.states(matching: filter, account: .default, after: page.next, limit: 3)
        #expect(next.states.map(\.rollout.rolloutID) == ["r7", "r9"])
        #expect(next.next == nil)
        // Other ids tell those who had not been told before.
        let moved = try store.apply([.log(Samples.log("r0", extraTags: ["experiment_id:e1"]))])
        #expect(moved.events.count == 1)
        #expect(moved.events[0].formerIDs?.experimentID == "e0")
        #expect(moved.events[0].concerns(filter, of: .default))
        #expect(!moved.events[0].concerns(RolloutFilter(rolloutIDs: ["r0"]), of: .default))
        let stored = try await store.events(after: sequences[9], limit: 10)
        #expect(stored?.map(\.formerIDs) == moved.events.map(\.formerIDs))
        try store.close()
    }

    @Test("a rollout's page counts what is stored of it", arguments: StoreKind.allCases)
    func page(kind: StoreKind) async throws {
        let folder = try Folder()
        let store = try kind.open(folder)
        var call = Samples.call("r")
        call.usage = Usage(promptTokens: 10, completionTokens: 5)
        var forged = Samples.call("other")
        forged.bodyTags = ["rollout_id:r"]
        let ids = try receipts(
            store,
            [
                .call(call), .call(call), .call(forged), .call(Samples.call("r", state: .failed)),
                .call(Samples.call("r", state: .cut)), .log(Samples.log("r", code: .finished)),
            ]
        ).map(\.id)
        let page = try #require(try await store.page(of: Samples.key("r")))
        #expect([page.recordedCalls, page.failedCalls, page.cutCalls, page.logs] == [2, 1, 1, 1])
        #expect(page.usage.totalTokens == 30)
        #expect(page.firstSeen == ids[0])
        #expect(page.lastSeen == ids[5])
        #expect(page.state.status?.code == .finished)
        #expect(try await store.page(of: Samples.key("nobody")) == nil)
        try store.close()
    }

    @Test("everything is there again after closing", arguments: StoreKind.allCases)
    func reopening(kind: StoreKind) async throws {
        let folder = try Folder()
        let line = Samples.log("r", code: .running, attempt: "a", extraTags: ["experiment_id:e"])
        var store = try kind.open(folder)
        let before = try receipts(store, [.call(Samples.call("r", attempt: "a")), .log(line)])
        let state = try await store.state(of: Samples.key("r"))
        let newest = try await store.newestEvent()
        try store.close()
        // The clock has been put back.
        store = try kind.open(folder, now: { 5 })
        #expect(try await store.state(of: Samples.key("r")) == state)
        #expect(try await store.newestEvent() == newest)
        #expect(try await calls(store, ["rollout_id:r"]) == [before[0].id])
        let after = try receipts(store, [.call(Samples.call("r")), .log(line)])
        #expect(after[0].id > newest)
        #expect(after.map(\.attempt) == [1, 1])
        #expect(try await store.call(after[0].id, account: .default)?.parent == nil)
        try store.close()
    }

    @Test("refused records do not fail the others", arguments: StoreKind.allCases)
    func conflictInBatch(kind: StoreKind) async throws {
        let folder = try Folder()
        let store = try kind.open(folder)
        let outcomes = try store.apply([
            .registration(Registration(account: .default, metadata: Samples.metadata("r"))),
            .registration(Registration(account: .default, metadata: Samples.metadata("r", experiment: "x"))),
            .log(Samples.log("r", code: .finished)),
        ]).outcomes
        #expect(outcomes.count == 3)
        #expect(try await store.state(of: Samples.key("r"))?.status?.code == .finished)
        try store.close()
    }
}
