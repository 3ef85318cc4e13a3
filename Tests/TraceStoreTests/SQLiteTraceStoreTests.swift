// Part of Rollcall. SPDX-License-Identifier: Apache-2.0

import EvalProtocol
import Foundation
import GRDB
import SQLiteTraceStore
import Testing
import TraceStore

@Suite("SQLiteTraceStore: the file")
struct SQLiteTraceStoreTests {
    @Test("every commit is synced, pages have 4 kB, the log is not checkpointed by commits")
    func settings() throws {
        let folder = try Folder()
        let store = try SQLiteTraceStore(path: folder.file("s"))
        #expect(try store.setting("synchronous") == 2)
        #expect(try store.setting("page_size") == 4096)
        #expect(try store.setting("wal_autocheckpoint") == 0)
        try store.close()
    }

    @Test("a second gateway is refused with a sentence, and welcome when the first has gone")
    func secondOpener() throws {
        let folder = try Folder()
        var store: SQLiteTraceStore? = try SQLiteTraceStore(path: folder.file("s"))
        let error = #expect(throws: StoreError.self) { _ = try SQLiteTraceStore(path: folder.file("s")) }
        #expect(error?.reason == .unusable)
        #expect(error?.description.contains("another gateway uses") == true)
        try store?.close()
        store = nil
        try SQLiteTraceStore(path: folder.file("s")).close()
    }

    @Test("a newer schema is refused naming both versions")
    func newerSchema() throws {
        let folder = try Folder()
        try SQLiteTraceStore(path: folder.file("s")).close()
        try DatabaseQueue(path: folder.file("s")).write { try $0.execute(sql: "PRAGMA user_version = 99") }
        let error = #expect(throws: StoreError.self) { _ = try SQLiteTraceStore(path: folder.file("s")) }
        #expect(error?.reason == .unusable)
        #expect(error?.description.contains("version 99") == true)
        #expect(error?.description.contains("up to 1") == true)
    }

    @Test("another program's database is left alone")
    func foreign() throws {
        let folder = try Folder()
        try DatabaseQueue(path: folder.file("s")).write { try $0.execute(sql: "CREATE TABLE t(x)") }
        let error = #expect(throws: StoreError.self) { _ = try SQLiteTraceStore(path: folder.file("s")) }
        #expect(error?.description.contains("another program") == true)
        try Data("not a database, but long enough to be taken for one by its size alone".utf8)
            .write(to: URL(fileURLWithPath: folder.file("text")))
        #expect(throws: StoreError.self) { _ = try SQLiteTraceStore(path: folder.file("text")) }
        let missing = #expect(throws: StoreError.self) { _ = try SQLiteTraceStore(path: folder.file("no/where")) }
        #expect(missing?.description.contains("folder") == true)
    }

    @Test("a copy of the files, taken without closing, has everything that was committed")
    func abandoned() async throws {
        let folder = try Folder()
        let store = try SQLiteTraceStore(path: folder.file("s"))
        var ids: [Int64] = []
        for number in 0..<50 {
            let body = #"{"messages":[{"role":"system","content":"be brief"},{"role":"user","content":"\#(number)"}]}"#
            let outcomes = try store.apply([
                .call(Samples.call("r\(number % 5)", body: body)), .log(Samples.log("r\(number % 5)", code: .running)),
            ]).outcomes
            ids.append(try Samples.receipt(outcomes[0]).id)
        }
        let copy = try Folder()
        for suffix in ["", "-wal"] {
            try FileManager.default.copyItem(atPath: folder.file("s\(suffix)"), toPath: copy.file("s\(suffix)"))
        }
        let reopened = try SQLiteTraceStore(path: copy.file("s"))
        for id in ids { #expect(try await reopened.call(id, account: .default) != nil) }
        let query = LogQuery(account: .default, tags: ["rollout_id:r1"], limit: 100)
        #expect(try await reopened.logs(query).count == 10)
        try reopened.close()
        try store.close()
    }

    @Test("a full disk fails the batch whole, leaves no trace in memory, and passes")
    func full() async throws {
        let folder = try Folder()
        let store = try SQLiteTraceStore(path: folder.file("s"))
        _ = try store.apply([.log(Samples.log("r", code: .running, attempt: "a"))])
        try store.limitSize(toPages: try #require(try store.setting("page_count")) + 2)
        let large = String(repeating: "x", count: 200_000)
        let error = #expect(throws: StoreError.self) {
            _ = try store.apply([
                .log(Samples.log("r", code: .finished, attempt: "a")), .log(Samples.log("new", code: .finished)),
                .call(Samples.call("r", attempt: "b", answer: large)),
            ])
        }
        #expect(error?.reason == .unavailable)
        #expect(throws: StoreError.self) { try store.probe() }
        #expect(try await store.state(of: Samples.key("r"))?.status?.code == .running)
        #expect(try await store.state(of: Samples.key("new")) == nil)
        try store.limitSize(toPages: nil)
        try store.probe()
        let committed = try store.apply([
            .log(Samples.log("new", code: .running)), .call(Samples.call("r", attempt: "c", answer: large)),
        ])
        #expect(try Samples.receipt(committed.outcomes[1]).attempt == 2)
        #expect(try await store.state(of: Samples.key("new"))?.status?.code == .running)
        try store.close()
    }

    @Test("resting moves everything into the file and leaves the log its blocks")
    func rest() throws {
        let folder = try Folder()
        let store = try SQLiteTraceStore(path: folder.file("s"))
        _ = try store.apply([.call(Samples.call("r"))])
        let log = try FileManager.default.attributesOfItem(atPath: folder.file("s-wal"))[.size] as? Int
        store.rest()
        #expect(try FileManager.default.attributesOfItem(atPath: folder.file("s-wal"))[.size] as? Int == log)
        try FileManager.default.copyItem(atPath: folder.file("s"), toPath: folder.file("alone"))
        let alone = try DatabaseQueue(path: folder.file("alone"))
        #expect(try alone.read { try Int.fetchOne($0, sql: "SELECT count(*) FROM call") } == 1)
        try store.close()
    }

    @Test("turn 200 costs the file what turn 10 does, with all tokens captured too", arguments: [false, true])
    func flat(captures: Bool) throws {
        let folder = try Folder()
        let store = try SQLiteTraceStore(path: folder.file("s"))
        var messages = [#"{"role":"system","content":"be brief"}"#]
        var pages: [Int] = []
        for turn in 0..<220 {
            messages.append(#"{"role":"user","content":"\#(turn) \#(String(repeating: "q", count: 1000))"}"#)
            let body = #"{"model":"m","messages":[\#(messages.joined(separator: ","))]}"#
            var call = Samples.call("r", body: body, answer: String(repeating: "a", count: 1000))
            if captures {
                let tokens = (0..<100).map { LogprobsPayload.Token(id: $0, logprob: -0.5) }
                call.captured = CapturedTokens(
                    capture: .tokens, promptTokenIDs: (0..<Int32(turn + 1) * 350).map { $0 % 50_000 },
                    choices: [.init(logprobs: LogprobsPayload(tokens: tokens).encode())])
            }
            _ = try store.apply([.call(call)])
            pages.append(try #require(try store.setting("page_count")))
        }
        let early = pages[59] - pages[9]
        let late = pages[219] - pages[169]
        #expect(Double(late) <= Double(early) * 1.2)
        try store.close()
    }
}
