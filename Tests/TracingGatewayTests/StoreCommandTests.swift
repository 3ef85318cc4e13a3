// Part of Rollcall. SPDX-License-Identifier: Apache-2.0

import Foundation
import SQLiteTraceStore
import TestSupport
import Testing
import TraceStore
import TracingGateway
import WireJSON

/// The built command beside a gateway that runs, and without one.
@Suite("SQLiteTraceStore: rollcall store") struct StoreCommandTests {
    private struct Result {
        let code: Int32
        let output: String
        let errors: String
    }

    private static func run(_ arguments: [String], variables: [String: String] = [:]) async throws -> Result {
        let process = try RollcallProcess("store", arguments, variables: variables)
        let code = try await process.exitCode()
        return Result(code: code, output: process.output, errors: process.errors)
    }

    /// A gateway process on a new store, with two finished rollouts of experiment e1.
    private static func withGateway(
        _ body: (_ gateway: RollcallProcess, _ url: String, _ store: String, _ folder: URL) async throws -> Void
    ) async throws {
        let folder = FileManager.default.temporaryDirectory.appending(path: "rollcall-\(UUID().uuidString)")
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(at: folder) }
        try await ScriptedHTTPServer.with({ _ in .json(GatewayFixture.completion("hello")) }) { upstream in
            let store = "sqlite:\(folder.path)/traces.sqlite"
            let gateway = try RollcallProcess(
                "gateway", ["--port", "0", "--store", store, "--upstream", upstream.url + "/v1"])
            let url = try await gateway.ready()["url"]?.string ?? ""
            for rollout in ["a", "b"] {
                let path =
                    "/rollout_id/\(rollout)/invocation_id/i1/experiment_id/e1/run_id/r1/row_id/w/chat/completions"
                let body = #"{"model":"m","messages":[{"role":"user","content":"hi"}]}"#
                #expect(try await gateway.request("POST", path, body: body).status == 200)
                let line = GatewayFixture.line(rollout, code: 100).description
                #expect(try await gateway.request("POST", "/logs", body: line).status == 200)
            }
            try await body(gateway, url, store, folder)
            gateway.signal(SIGTERM)
            #expect(try await gateway.exitCode() == 0)
        }
    }

    @Test("stats, check and backup work beside a running gateway, and a gateway starts on the copy")
    func beside() async throws {
        try await Self.withGateway { _, _, store, folder in
            let stats = try await Self.run(["stats", "--store", store, "--json"])
            #expect(stats.code == 0)
            let json = try JSONValue(parsing: Array(stats.output.utf8))
            #expect(json["rollouts"]?.int == 2)
            #expect(json["calls"] == ["recorded": 2, "failed": 0, "cut": 0])
            #expect(json["lines"]?.int == 2)
            #expect((json["database_bytes"]?.int ?? 0) > 8192)
            let text = try await Self.run(["stats"], variables: ["ROLLCALL_STORE": store])
            #expect(text.output.contains("2 recorded, 0 failed, 0 cut"), "\(text.output)\(text.errors)")
            let check = try await Self.run(["check", "--store", store])
            #expect(check.code == 0)
            #expect(check.output.contains("is whole: 2 rollouts, 2 calls, 2 lines"), "\(check.output)\(check.errors)")

            let copy = folder.appending(path: "copy.sqlite").path
            let backup = try await Self.run(["backup", "--store", store, copy])
            #expect(backup.code == 0, "\(backup.errors)")
            #expect(backup.output.contains("2 rollouts"))
            let again = try await Self.run(["backup", "--store", store, copy])
            #expect(again.code == 1)
            #expect(again.errors.contains("there already"), "\(again.errors)")
            let second = try RollcallProcess("gateway", ["--port", "0", "--store", "sqlite:\(copy)"])
            _ = try await second.ready()
            let traces = try await second.request("GET", "/v1/traces?tags=rollout_id:a").json["traces"]
            #expect(traces?[0]?["output"]?["content"]?.string == "hello")
            second.signal(SIGTERM)
            #expect(try await second.exitCode() == 0)
        }
    }

    @Test("prune deletes through the gateway that has the store, and in the file when none has") func prune()
        async throws
    {
        try await Self.withGateway { gateway, url, store, _ in
            let refused = try await Self.run(["prune", "--store", store, "--rollout", "a"])
            #expect(refused.code == 1)
            #expect(refused.errors.contains("another gateway uses"), "\(refused.errors)")
            let one = try await Self.run(["prune", "--gateway", url, "--rollout", "a", "--rollout", "nobody"])
            #expect(one.output == "1 rollouts deleted\n", "\(one.errors)")
            #expect(try await gateway.request("GET", "/v1/rollouts/a").status == 404)
            let young = try await Self.run(["prune", "--gateway", url, "--experiment", "e1", "--retain", "1h"])
            #expect(young.output == "0 rollouts deleted\n", "\(young.errors)")
            #expect(try await Self.run(["prune", "--gateway", "http://localhost:1", "--retain", "1h"]).code == 1)
            gateway.signal(SIGTERM)
            #expect(try await gateway.exitCode() == 0)

            let other = try await Self.run(["prune", "--store", store, "--experiment", "e1", "--account", "other"])
            #expect(other.output == "0 rollouts deleted\n", "\(other.errors)")
            let rest = try await Self.run(["prune", "--store", store, "--experiment", "e1"])
            #expect(rest.output == "1 rollouts deleted\n", "\(rest.errors)")
            let check = try await Self.run(["check", "--store", store])
            #expect(check.output.contains("is whole: 0 rollouts, 0 calls, 0 lines"), "\(check.output)")
        }
    }

    @Test("--retain and silent_since delete what nothing has come of since then, of all or of what is named")
    func retention() async throws {
        try await withScratch { folder in
            let path = folder.appending(path: "traces.sqlite").path
            let store = "sqlite:\(path)"
            let now = SQLiteTraceStore.now()
            func hoursAgo(_ hours: Int64) -> Int64 { now - hours * 3_600_000_000 }
            /// A line of each, of an experiment of its own, as a gateway stored it then.
            func write(_ rollouts: [String], at time: Int64) throws {
                let store = try SQLiteTraceStore(path: path, now: { time })
                let records = rollouts.map { rollout in
                    StoreRecord.log(
                        LogRecord(
                            account: .default, program: "eval_protocol", message: "m", severity: "INFO",
                            tags: ["rollout_id:\(rollout)", "experiment_id:of-\(rollout)"]))
                }
                _ = try store.apply(records)
                try store.close()
            }
            try write(["ancient"], at: hoursAgo(9))
            try write(["old-1", "old-2", "old-3", "woken"], at: hoursAgo(3))
            try write(["woken", "new"], at: now)

            let gateway = try RollcallProcess("gateway", ["--port", "0", "--store", store])
            defer { gateway.end() }
            let url = try await gateway.ready()["url"]?.string ?? ""
            func expectRollouts(_ expected: String...) async throws {
                var found: [String] = []
                for rollout in ["ancient", "old-1", "old-2", "old-3", "woken", "new"] {
                    let page = try await gateway.request("GET", "/v1/rollouts/\(rollout)")
                    if page.status == 200 { found.append(rollout) }
                }
                #expect(found == expected)
            }
            func delete(_ query: String, silentSince time: Int64) async throws -> JSONValue {
                let since = Timestamp(microseconds: time)
                return try await gateway.request("DELETE", "/v1/rollouts?\(query)silent_since=\(since)").json
            }
            try await expectRollouts("ancient", "old-1", "old-2", "old-3", "woken", "new")
            #expect(try await delete("", silentSince: hoursAgo(6)) == ["deleted": 1])
            try await expectRollouts("old-1", "old-2", "old-3", "woken", "new")
            let first = "experiment_id=of-old-1&experiment_id=of-woken&experiment_id=of-new&"
            #expect(try await delete(first, silentSince: hoursAgo(6)) == ["deleted": 0])
            #expect(try await delete(first, silentSince: hoursAgo(1)) == ["deleted": 1])
            try await expectRollouts("old-2", "old-3", "woken", "new")
            let experiments = ["old-2", "woken", "new"].flatMap { ["--experiment", "of-\($0)"] }
            let second = try await Self.run(["prune", "--gateway", url, "--retain", "1h"] + experiments)
            #expect(second.output == "1 rollouts deleted\n", "\(second.errors)")
            try await expectRollouts("old-3", "woken", "new")
            gateway.signal(SIGTERM)
            #expect(try await gateway.exitCode() == 0)

            let third = try await Self.run(["prune", "--store", store, "--retain", "1h"])
            #expect(third.output == "1 rollouts deleted\n", "\(third.errors)")
            let check = try await Self.run(["check", "--store", store])
            #expect(check.output.contains("is whole: 2 rollouts, 0 calls, 3 lines"), "\(check.output)\(check.errors)")
        }
    }

    @Test("a damaged store, no store and another version are told in one sentence") func damage() async throws {
        try await Self.withGateway { gateway, _, store, folder in
            gateway.signal(SIGTERM)
            #expect(try await gateway.exitCode() == 0)
            let path = folder.appending(path: "traces.sqlite")
            var bytes = try Data(contentsOf: path)
            for page in stride(from: 8192, to: bytes.count, by: 8192) {
                bytes.replaceSubrange(page..<(page + 2000), with: Data(repeating: 0xA5, count: 2000))
            }
            let damaged = folder.appending(path: "damaged.sqlite")
            try bytes.write(to: damaged)
            let check = try await Self.run(["check", "--store", "sqlite:\(damaged.path)"])
            #expect(check.code == 1)
            #expect(!(check.output + check.errors).isEmpty)
            let backup = try await Self.run(["backup", "--store", "sqlite:\(damaged.path)", damaged.path + ".copy"])
            #expect(backup.code == 1)
            #expect(!FileManager.default.fileExists(atPath: damaged.path + ".copy"))
            _ = store
        }
        let missing = try await Self.run(["stats", "--store", "sqlite:/no/such.sqlite"])
        #expect(missing.code == 1)
        #expect(missing.errors.contains("there is no /no/such.sqlite"), "\(missing.errors)")
        #expect(try await Self.run(["stats", "--store", "postgres://x"]).code == 64)
        for arguments in [[], ["--retain", "x"], ["--rollout", "a", "--retain", "1d"]] {
            let prune = try await Self.run(["prune"] + arguments)
            #expect(prune.code == 64)
            #expect(prune.errors.contains("--retain") || prune.errors.contains("--rollout"), "\(prune.errors)")
        }
    }
}
