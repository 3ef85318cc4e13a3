// Part of Rollcall. SPDX-License-Identifier: Apache-2.0

import Foundation
import TestSupport
import Testing
import WireJSON

/// Disks that fail for a while, under load, and what is left when the power fails after that.
@Suite("Durability: disk errors", .enabled(if: DiskFaults.isSupported)) struct DiskErrorTests {
    /// What came of disks that failed, and of the power failures after that.
    private struct Outcome {
        /// Operations that failed.
        var failures = 0
        var losses = 0
        var acknowledged = 0
        var faults: [String] = []

        /// The end of the line that tells of it.
        var summary: String { "records acknowledged: \(acknowledged), faults: \(faults.count)" }
    }

    @Test("writes and syncs that fail at any place lose nothing acknowledged, and the gateway recovers by itself")
    func anyPlace() async throws {
        var random = SeededGenerator.printingSeed()
        var total = Outcome()
        for _ in 0..<(isSoak ? 4 : 1) {
            let seed = random.next()
            let outcome = try await Self.expectingNoLoss(using: &random) { faults, gateway, upstream in
                var choices = SeededGenerator(seed: seed)
                var failures = 0
                for _ in 0..<(isSoak ? 30 : 8) {
                    let operation = DiskFaults.Operation.allCases.randomElement(using: &choices) ?? .sync
                    let files: [DiskFaults.File?] = [nil, .log, .database]
                    let file = files.randomElement(using: &choices) ?? nil
                    try faults.fail(
                        operation, on: file, skip: .random(in: 0...(file == .database ? 3 : 40), using: &choices),
                        count: [1, 3, 30].randomElement(using: &choices) ?? 1,
                        error: operation == .sync || Bool.random(using: &choices) ? EIO : ENOSPC)
                    // Some files are written seldom: a fault that nothing meets is over after a while.
                    try? await eventually("failure", within: .milliseconds(2500)) { try faults.failures() > 0 }
                    // How long a fault lasts is part of it.
                    try await Task.sleep(for: .milliseconds(.random(in: 0...300, using: &choices)))
                    failures += try faults.failures()
                    try faults.stopFailing()
                    try await Self.becomesReady(gateway)
                }
                for operation in DiskFaults.Operation.allCases {
                    try await Self.expectRefusals(while: operation, faults, gateway, upstream)
                }
                return failures
            }
            total.failures += outcome.failures
            total.losses += outcome.losses
            total.acknowledged += outcome.acknowledged
            total.faults += outcome.faults
        }
        print(
            "operations that failed: \(total.failures), power losses after them: \(total.losses), \(total.summary)")
        #expect(total.failures > 4)
    }

    // The log must not begin anew before what the sync was to bring to the disk has been written once more.
    @Test("a checkpoint whose sync fails loses nothing, though every later sync succeeds")
    func checkpoint() async throws {
        var random = SeededGenerator.printingSeed()
        let outcome = try await Self.expectingNoLoss(words: 0...6000, burst: .seconds(2), using: &random) {
            faults, gateway, _ in
            try faults.fail(.sync, on: .database, count: 1, error: EIO)
            try await eventually("sync of the database") { try faults.failures() == 1 }
            try await eventually("line that says so") { gateway.errors.contains("traces.sqlite failed") }
            // Twice: what is in the log then has come after all of what the failed sync was for.
            for _ in 0..<2 {
                let head = try faults.logHead()
                try await eventually("log that begins anew") { try faults.logHead() != head }
            }
            return try faults.failures()
        }
        print("power losses after a failed checkpoint: \(outcome.losses), \(outcome.summary)")
        #expect(outcome.failures == 1)
    }

    // SQLite would count them as moved, and the next one to read would miss them.
    @Test("a checkpoint whose last pages cannot be written waits for the disk, and keeps the log when the gateway ends")
    func lastPages() async throws {
        try await withScratch { folder in
            let upstream = try await ScriptedHTTPServer.start { Load.answer($0) }
            let faults = try await DiskFaults(store: folder.appending(path: "traces.sqlite"))
            let gateway = try faults.gateway(upstream: upstream.url, records: false)
            defer { gateway.end() }
            _ = try await gateway.ready()
            let ledger = Ledger()
            let load = Load(gateway: gateway, ledger: ledger) { 0 }
            // Enough for a checkpoint each.
            let text = String(repeating: "and so on ", count: 120_000)
            func call() async throws {
                let id = "l-\(ledger.count)"
                #expect(await load.call(id, [["role": "user", "content": .string("\(id) \(text)")]]))
            }
            func waits(_ times: Int) -> Bool {
                gateway.errors.components(separatedBy: "does not take what is to be moved").count > times
            }
            /// How many writes a checkpoint takes.
            func writes() async throws -> Int {
                try faults.count(.write, on: .database)
                try await call()
                var count = 0
                try await eventually("checkpoint that has ended") {
                    defer { count = (try? faults.passed()) ?? 0 }
                    try await Task.sleep(for: .milliseconds(100))
                    return try faults.passed() > 0 && faults.passed() == count
                }
                return count
            }
            for times in 1...2 {
                try await eventually("checkpoint that waits") {
                    // One that fails before its last write fails as a whole.
                    try faults.fail(.write, on: .database, skip: await writes() - 1, error: EIO)
                    try await call()
                    try? await eventually("line that says so", within: .milliseconds(500)) { waits(times) }
                    if !waits(times) { try faults.stopFailing() }
                    return waits(times)
                }
                let failures = try faults.failures()
                try await call()
                try await eventually("another attempt") { try faults.failures() > failures }
                // The pages that are not written yet are read from the log.
                for number in 0..<ledger.count {
                    let read = try await gateway.request("GET", "/v1/rollouts/l-\(number)/traces")
                    #expect(read.status == 200 && read.text.contains(text), "\(read.text.prefix(300))")
                }
                if times == 1 { try faults.stopFailing() }
            }
            gateway.signal(SIGTERM)
            #expect(try await gateway.exitCode() == 0)
            let found = await ledger.faults(in: faults.store, at: 0)
            #expect(found.count == 0, "\(found.prefix(3))")
            await upstream.stop()
        }
    }

    // What the failed sync was to bring to the disk is still in memory, where the next gateway reads it.
    @Test("a gateway that is killed after a failed sync and started again loses nothing when the power fails then")
    func restart() async throws {
        var random = SeededGenerator.printingSeed()
        try await withScratch { folder in
            let upstream = try await ScriptedHTTPServer.start { Load.answer($0) }
            let faults = try await DiskFaults(store: folder.appending(path: "traces.sqlite"))
            let ledger = Ledger()
            func load(
                _ prefix: String, whenReady: () throws -> Void = {}, until isEnough: @Sendable () throws -> Bool
            ) async throws {
                let gateway = try faults.gateway(upstream: upstream.url)
                defer { gateway.end() }
                _ = try await gateway.ready()
                try whenReady()
                let load = Load(gateway: gateway, ledger: ledger, words: 0...1500) { faults.position }
                let seed = random.next()
                let running = Task { await load.run(prefix, clients: 8, seed: seed) }
                try await eventually("enough") { try isEnough() }
                gateway.signal(SIGKILL)
                await running.value
                _ = try await gateway.exitCode()
                try faults.endRecord()
            }
            var outcome = Outcome()
            for round in 0..<(isSoak ? 20 : 3) {
                var count = ledger.count + 300
                try await load("a\(round)") { [count] in ledger.count > count }
                // A log with little in it: what the failed commit changes stands in the database alone.
                count = ledger.count
                try await load("s\(round)") { [count] in ledger.count > count }
                let skip = Int.random(in: 0...3, using: &random)
                try await load("b\(round)") {
                    try faults.fail(.sync, on: .log, skip: skip, count: 1000, error: EIO)
                } until: {
                    try faults.failures() > 0
                }
                try faults.stopFailing()
                let started = faults.position
                // Without a commit, and with some.
                count = ledger.count
                try await load("c\(round)") { [count] in round % 3 < 2 || ledger.count > count + 40 }
                let record = try DiskRecord(faults.record)
                let places = record.entries.map(\.payload.upperBound).filter { $0 >= started }
                for position in [started] + (0..<8).compactMap({ _ in places.randomElement(using: &random) }) {
                    var disk = Disk([:], record)
                    disk.advance(to: position, using: &random)
                    let copy = folder.appending(path: "after.sqlite")
                    try disk.afterPowerLoss(using: &random).write(to: copy)
                    let found = await ledger.faults(in: copy, at: position)
                    #expect(found.count == 0, "\(found.prefix(3))")
                    outcome.losses += 1
                    outcome.faults += found
                }
            }
            outcome.acknowledged = ledger.count
            print("power losses after a failed sync and a restart: \(outcome.losses), \(outcome.summary)")
            await upstream.stop()
        }
    }

    /// Under load, while all writes fail, or all syncs: not ready and why, and 503 before the upstream is asked. Ends with
    /// a disk that is well again.
    private static func expectRefusals(
        while operation: DiskFaults.Operation, _ faults: DiskFaults, _ gateway: RollcallProcess,
        _ upstream: ScriptedHTTPServer
    ) async throws {
        let mark = "x-test-\(operation)"
        func call(_ path: String) async throws -> RawResponse {
            try await gateway.request(
                "POST", "\(path)/chat/completions", headers: ["\(mark): 1"], body: #"{"model":"m","messages":[]}"#)
        }
        func asked() -> Int { upstream.requests.count { $0.header(mark) != nil } }
        try faults.fail(operation, on: nil, error: EIO)
        // Found by a commit of the load, and by nothing else.
        try await eventually("unreadiness") { try await gateway.request("GET", "/ready").status == 503 }
        for number in 0..<5 {
            let answer = try await call("/rollout_id/n\(number)/invocation_id/i/experiment_id/e/run_id/u/row_id/w")
            #expect(answer.status == 503)
            #expect(answer.header("retry-after") != nil)
            #expect(answer.json["error"]?["message"]?.string?.contains("traces.sqlite") == true, "\(answer.text)")
        }
        let ready = try await gateway.request("GET", "/ready")
        #expect(ready.status == 503 && ready.text.contains("traces.sqlite"), "\(ready.text)")
        #expect(asked() == 0)
        try faults.stopFailing()
        try await becomesReady(gateway)
        // The mark arrives there, with a call that is not recorded.
        #expect(try await call("").status == 200)
        #expect(asked() == 1)
    }

    /// Runs load, with pauses in which the log is emptied, while `body` lets the disk fail, kills the gateway, and looks
    /// at what the power may leave.
    private static func expectingNoLoss(
        words: ClosedRange<Int> = 0...300, burst duration: Duration = .milliseconds(400),
        using random: inout SeededGenerator,
        _ body: @escaping @Sendable (DiskFaults, RollcallProcess, ScriptedHTTPServer) async throws -> Int
    ) async throws -> Outcome {
        let seed = random.next()
        var random = SeededGenerator(seed: random.next())
        return try await withScratch { folder in
            let upstream = try await ScriptedHTTPServer.start { Load.answer($0) }
            let faults = try await DiskFaults(store: folder.appending(path: "traces.sqlite"))
            let gateway = try faults.gateway(upstream: upstream.url)
            defer { gateway.end() }
            _ = try await gateway.ready()
            let ledger = Ledger()
            let load = Task {
                for burst in 0... {
                    let clients = Task {
                        await Load(gateway: gateway, ledger: ledger, words: words) { faults.position }
                            .run("b\(burst)", clients: 8, seed: seed &+ UInt64(burst))
                    }
                    // The shape of the load, not a wait for something.
                    try? await Task.sleep(for: duration)
                    clients.cancel()
                    await clients.value
                    // The gateway tidies up when nothing has come for a second.
                    do { try await Task.sleep(for: .milliseconds(burst % 2 == 0 ? 1200 : 1)) } catch { return }
                }
            }
            defer { load.cancel() }
            var outcome = Outcome()
            outcome.failures = try await body(faults, gateway, upstream)
            gateway.signal(SIGKILL)
            load.cancel()
            await load.value
            _ = try await gateway.exitCode()
            await upstream.stop()
            let record = try DiskRecord(faults.record)
            for _ in 0..<8 {
                var disk = Disk([:], record)
                disk.advance(to: faults.position, using: &random)
                try disk.afterPowerLoss(using: &random).write(to: faults.store)
                let found = await ledger.faults(in: faults.store, at: faults.position)
                #expect(found.count == 0, "\(found.prefix(3))")
                outcome.losses += 1
                outcome.faults += found
            }
            outcome.acknowledged = ledger.count
            #expect(outcome.acknowledged > 50)
            return outcome
        }
    }

    private static func becomesReady(_ gateway: RollcallProcess) async throws {
        try await eventually("readiness; the gateway says: \(gateway.errors.suffix(2000))") {
            try await gateway.request("GET", "/ready").status == 200
        }
    }
}
