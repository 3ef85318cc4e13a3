// Part of Rollcall. SPDX-License-Identifier: Apache-2.0

import EvalProtocol
import Testing
import TraceStore

@Suite("TraceStore: what is promised and decided survives, in every store") struct TermsTests {
    private func apply(_ store: any TraceStore, _ records: StoreRecord...) throws -> [RecordOutcome] {
        try store.apply(records).outcomes
    }

    private func registration(
        _ rollout: String, attempt: String? = nil, timeLimit: Int64? = nil, budget: Budget? = nil
    ) -> StoreRecord {
        .registration(
            Registration(
                account: .default, metadata: Samples.metadata(rollout, attempt: attempt), timeLimit: timeLimit,
                budget: budget))
    }

    private func running(_ rollout: String, attempt: String? = nil, lease: Int64) -> StoreRecord {
        var line = Samples.log(rollout, code: .running, attempt: attempt)
        line.lease = lease
        return .log(line)
    }

    private func watched(_ store: any TraceStore) async throws -> [String] {
        var names: [String] = []
        var cursor: Int64?
        repeat {
            let page = try await store.watchedRollouts(after: cursor, limit: 2)
            names += page.states.map(\.rollout.rolloutID)
            cursor = page.next
        } while cursor != nil
        return names
    }

    @Test("deadline, lease, budget and what is spent are there again after a restart", arguments: StoreKind.allCases)
    func restart(kind: StoreKind) async throws {
        let folder = try Folder()
        let first = try kind.open(folder, now: { 1000 })
        let budget = Budget(calls: 9, turns: 8, promptTokens: 7, completionTokens: 6)
        _ = try apply(first, registration("r", attempt: "a", timeLimit: 500, budget: budget))
        _ = try apply(first, running("r", attempt: "a", lease: 77))
        var call = Samples.call("r", attempt: "a")
        call.usage = Usage(promptTokens: 3, completionTokens: 2)
        _ = try apply(first, .call(call), .call(Samples.call("r", attempt: "a", state: .failed)))
        let before = try #require(try await first.state(of: Samples.key("r")))
        #expect(before.terms.deadline == 1500)
        #expect(before.terms.lease == 77)
        #expect(before.terms.budget == budget)
        #expect(before.terms.spent?.calls == 1)
        #expect(before.terms.spent?.turns == 1)
        #expect(before.terms.spent?.promptTokens == 3)
        #expect(before.terms.spent?.completionTokens == 2)
        try first.close()
        let second = try kind.open(folder)
        #expect(try await second.state(of: Samples.key("r")) == before)
        // The writer counts on from there.
        let committed = try second.apply([.call(call)])
        #expect(committed.states.first?.1.terms.spent?.calls == 2)
        try second.close()
    }

    @Test("a budget that comes late counts what came before", arguments: StoreKind.allCases)
    func lateBudget(kind: StoreKind) async throws {
        let folder = try Folder()
        let store = try kind.open(folder)
        _ = try apply(store, .call(Samples.call("r")), .call(Samples.call("r")))
        _ = try apply(store, registration("r", budget: Budget(calls: 5)))
        #expect(try await store.state(of: Samples.key("r"))?.terms.spent?.calls == 2)
        try store.close()
    }

    @Test("turns are the answers in a row of one conversation, across a restart", arguments: StoreKind.allCases)
    func turns(kind: StoreKind) async throws {
        func body(_ turns: Int, _ first: String) -> String {
            var messages = [#"{"role":"user","content":"\#(first), which is a question of some length"}"#]
            for turn in 0..<turns { messages.append(#"{"role":"assistant","content":"answer number \#(turn) here"}"#) }
            return #"{"messages":[\#(messages.joined(separator: ","))]}"#
        }
        let folder = try Folder()
        var store = try kind.open(folder)
        _ = try apply(store, registration("r", budget: Budget(turns: 50)))
        for turn in 0..<3 { _ = try apply(store, .call(Samples.call("r", body: body(turn, "one")))) }
        // Another conversation beside it does not add to the longest.
        _ = try apply(store, .call(Samples.call("r", body: body(0, "two"))))
        #expect(try await store.state(of: Samples.key("r"))?.terms.spent?.turns == 3)
        try store.close()
        store = try kind.open(folder)
        _ = try apply(store, .call(Samples.call("r", body: body(3, "one"))))
        #expect(try await store.state(of: Samples.key("r"))?.terms.spent?.turns == 4)
        try store.close()
    }

    @Test("a verdict is a log line with the rollout's tags, an event, and final", arguments: StoreKind.allCases)
    func verdict(kind: StoreKind) async throws {
        let folder = try Folder()
        let store = try kind.open(folder)
        _ = try apply(store, registration("r", attempt: "a", timeLimit: 5))
        let verdict = Verdict(rollout: Samples.key("r"), attempt: 1, cause: .deadline)
        let committed = try store.apply([.verdict(verdict)])
        #expect(committed.events.map(\.status.code) == [.deadlineExceeded])
        let lines = try await store.logs(LogQuery(account: .default, tags: ["rollout_id:r"], limit: 10))
        #expect(lines.map(\.program) == ["eval_protocol"])
        #expect(lines[0].tags == ["rollout_id:r", "experiment_id:e", "run_id:u"])
        #expect(lines[0].attempt == 1)
        // Once only, and nothing undoes it.
        let again = try Samples.receipt(apply(store, .verdict(verdict)).first)
        #expect(again.duplicate)
        #expect(again.final == .deadlineExceeded)
        let late = try Samples.receipt(apply(store, .log(Samples.log("r", code: .finished, attempt: "a"))).first)
        #expect(late.final == .deadlineExceeded)
        try store.close()
        let reopened = try kind.open(folder)
        let state = try #require(try await reopened.state(of: Samples.key("r")))
        #expect(state.status?.code == .deadlineExceeded)
        #expect(state.status?.isVerdict == true)
        try reopened.close()
    }

    @Test(
        "what a gateway has to watch after its start: what runs with a promise, and what a budget has ended",
        arguments: StoreKind.allCases)
    func watching(kind: StoreKind) async throws {
        let folder = try Folder()
        let store = try kind.open(folder)
        _ = try apply(
            store, registration("plain"), registration("deadline", timeLimit: 5), running("lease", lease: 5),
            registration("budget", attempt: "a", budget: Budget(calls: 1)),
            registration("ended", timeLimit: 5), .log(Samples.log("ended", code: .finished)),
            registration("retried", timeLimit: 5), running("retried", attempt: "a", lease: 9),
            running("replaced", attempt: "a", lease: 9), .log(Samples.log("replaced", code: .running, attempt: "b")),
            registration("exhausted", budget: Budget(calls: 1)))
        #expect(try await watched(store) == ["deadline", "lease", "budget", "retried", "exhausted"])
        _ = try apply(
            store, .verdict(Verdict(rollout: Samples.key("exhausted"), attempt: 0, cause: .budget(.calls, 1))),
            .verdict(Verdict(rollout: Samples.key("lease"), attempt: 0, cause: .lease(5))))
        #expect(try await watched(store) == ["deadline", "budget", "retried", "exhausted"])
        // With a terminal line the rollout runs no more, with RUNNING it does again.
        _ = try apply(store, .log(Samples.log("deadline", code: .internal)))
        #expect(try await watched(store) == ["budget", "retried", "exhausted"])
        _ = try apply(store, .log(Samples.log("deadline", code: .running)))
        #expect(try await watched(store) == ["deadline", "budget", "retried", "exhausted"])
        _ = try apply(store, .deletion(Deletion(Samples.key("retried"))))
        #expect(try await watched(store) == ["deadline", "budget", "exhausted"])
        try store.close()
    }

    @Test("scores: idempotent, the latest of a scorer counts, of its attempt", arguments: StoreKind.allCases)
    func scores(kind: StoreKind) async throws {
        let folder = try Folder()
        let store = try kind.open(folder)
        func score(
            _ rollout: String, _ scorer: String, _ value: String, attempt: String? = nil
        ) throws -> RecordOutcome? {
            try apply(
                store,
                .score(
                    Score(
                        rollout: Samples.key(rollout), attempt: attempt.flatMap { AttemptID($0) }, scorer: scorer,
                        result: Array(#"{"score":\#(value)}"#.utf8)))
            ).first
        }
        guard case .unknown = try score("r", "s", "1") else { throw Samples.Unexpected(description: "scored nothing") }
        _ = try apply(store, registration("r", attempt: "a"), registration("r", attempt: "b"))
        guard case .unknown = try score("r", "s", "1", attempt: "c") else {
            throw Samples.Unexpected(description: "scored an unknown attempt")
        }
        #expect(try Samples.receipt(score("r", "s", "1")).duplicate == false)
        #expect(try Samples.receipt(score("r", "s", "1")).duplicate == true)
        #expect(try Samples.receipt(score("r", "s", "0.5")).duplicate == false)
        #expect(try Samples.receipt(score("r", "other", "1", attempt: "a")).attempt == 1)
        let page = try #require(try await store.page(of: Samples.key("r")))
        #expect(
            page.scores.map { "\($0.attempt ?? "-") \($0.scorer) \(String(decoding: $0.result, as: UTF8.self))" } == [
                #"a other {"score":1}"#, #"b s {"score":0.5}"#,
            ])
        _ = try apply(store, .deletion(Deletion(Samples.key("r"))), registration("r", attempt: "a"))
        #expect(try await store.page(of: Samples.key("r"))?.scores == [])
        try store.close()
    }
}
