// Part of Rollcall. SPDX-License-Identifier: Apache-2.0

import Foundation
import GRDB
import TestSupport
import Testing

/// Clients, model, disk and gateway that fail at random, all at the same time.
@Suite("Durability: chaos", .enabled(if: DiskFaults.isSupported)) struct ChaosTests {
    @Test("whatever fails, nothing acknowledged is lost, mixed up, doubled or out of order")
    func chaos() async throws {
        var random = SeededGenerator.printingSeed()
        let calls = isSoak ? 20_000 : 2_000
        let seeds = (load: random.next(), weather: random.next(), watchers: random.next())
        try await withScratch { folder in
            let ledger = ChaosLedger()
            let model = ChaosModel(ledger: ledger)
            let upstream = try await ScriptedHTTPServer.start { await model.answer($0) }
            let gateway = try await ChaosGateway(store: folder.appending(path: "traces.sqlite"), upstream: upstream.url)
            defer { gateway.current.end() }
            let watchers = (0..<4).map { ChaosWatcher(account: $0 % 2, gateway, ledger) }
            let watching = watchers.enumerated().map { number, watcher in
                Task { await watcher.run(seed: seeds.watchers &+ UInt64(number)) }
            }
            defer { for task in watching { task.cancel() } }
            try await eventually("watchers") { watchers.allSatisfy(\.isReady) }

            let weather = Task { try await Self.weather(gateway, ledger, calls: calls, seed: seeds.weather) }
            await Self.load(gateway, ledger, calls: calls, seed: seeds.load)
            try await weather.value
            try gateway.faults.stopFailing()
            try await eventually("readiness") { try await gateway.current.request("GET", "/ready").status == 200 }
            #expect(try await gateway.end(SIGTERM) == 0)
            let stored = gateway.storeSize
            try await gateway.start()

            // Those that were abandoned end while the others are looked at.
            async let missingEnds = ChaosEnds(gateway: gateway, ledger: ledger).faults(within: .seconds(30))
            let others = ChaosVerdict(ledger, gateway)
            var found = try await others.faults(in: others.places(bounded: false))
            found += try await missingEnds
            let verdict = ChaosVerdict(ledger, gateway)
            try? await eventually("all events") { watchers.allSatisfy(verdict.isComplete) }
            found += ledger.faults + watchers.flatMap(verdict.eventFaults)
            found += try await verdict.faults(in: verdict.places(bounded: true))
            #expect(found.isEmpty, "\(found.count): \(found.prefix(5).joined(separator: "\n"))")
            for task in watching { task.cancel() }

            let contents = ledger.contents
            let complete = contents.calls.values.count { $0.isComplete }
            let lines = contents.lines.values.count { $0.isAcknowledged }
            let cost = ChaosCost(contents)
            let memory = gateway.mostMemory
            let sizes =
                "\(stored) bytes stored, \(cost.allowedStore) allowed, \(cost.new) new, \(cost.whole) with whole histories, "
                + "\(memory >> 20) MB resident at most"
            let connections = watchers.reduce(0) { $0 + $1.connections }
            print(
                "chaos: \(contents.calls.count) calls, \(complete) complete, \(lines) lines acknowledged, "
                    + "\(contents.statuses.count) rollouts, \(watchers.reduce(0) { $0 + $1.events.count }) events on "
                    + "\(connections) connections; \(sizes); "
                    + "\(contents.counts.sorted { $0.key < $1.key }.map { "\($0.value) \($0.key)" })"
            )
            // It must have rained, and not only that.
            #expect(complete > calls / 5)
            #expect(contents.counts["kills", default: 0] > 0 && contents.counts["faults of the disk", default: 0] > 0)
            for bound in ChaosLedger.Bound.allCases {
                #expect(contents.counts["rollouts ended by a \(bound)", default: 0] > 0)
            }
            // Cost follows new work, and whole histories would cost more than is allowed.
            #expect(stored > 0 && stored < cost.allowedStore)
            #expect(cost.allowedStore < cost.whole)
            #expect(memory > 0 && memory < ChaosCost.allowedMemory)
            if isSoak { #expect(2 * cost.whole > ChaosCost.allowedMemory) }

            try await Self.findsDamage(verdict, complete: contents.calls.values.filter(\.isComplete))
            try await Self.findsEndless(gateway)
            _ = try await gateway.end(SIGKILL)
            await upstream.stop()
        }
    }

    /// Rollouts one after the other for each of many clients.
    private static func load(_ gateway: ChaosGateway, _ ledger: ChaosLedger, calls: Int, seed: UInt64) async {
        await withTaskGroup(of: Void.self) { group in
            for client in 0..<24 {
                group.addTask {
                    var number = client
                    while ledger.callCount < calls {
                        let place = ChaosLedger.Place(account: number % 2, rollout: "r\(number / 2)")
                        var rollout = ChaosRollout(
                            place, gateway, ledger, seed: seed &+ UInt64(number), isLong: number % 25 == 0)
                        await rollout.run()
                        number += 24
                    }
                }
            }
        }
    }

    /// Kills, restarts and failing disks as long as there are new calls.
    private static func weather(
        _ gateway: ChaosGateway, _ ledger: ChaosLedger, calls: Int, seed: UInt64
    ) async throws {
        var random = SeededGenerator(seed: seed)
        var number = 0
        while ledger.callCount < calls {
            try await Task.sleep(for: .milliseconds(.random(in: 100...1200, using: &random)))
            // Each of them comes about, however short the test is.
            let kind = number < 3 ? number : Int.random(in: 0..<4, using: &random)
            number += 1
            switch kind {
            case 0:
                #expect(try await gateway.restart(SIGKILL) == -SIGKILL)
                ledger.count("kills")
            case 1:
                let code = try await gateway.restart(SIGTERM)
                #expect(code == 0, "\(gateway.current.errors.suffix(1000))")
                ledger.count("restarts")
            default:
                let operation = DiskFaults.Operation.allCases.randomElement(using: &random) ?? .sync
                try gateway.faults.fail(
                    operation, on: nil, skip: .random(in: 0...20, using: &random),
                    count: [1, 5, 100].randomElement(using: &random) ?? 1,
                    error: operation == .sync || Bool.random(using: &random) ? EIO : ENOSPC)
                try? await Task.sleep(for: .milliseconds(.random(in: 50...400, using: &random)))
                ledger.count("faults of the disk")
                try gateway.faults.stopFailing()
                // Sometimes it is killed before it is well again.
                if Int.random(in: 0..<4, using: &random) == 0 {
                    _ = try await gateway.restart(SIGKILL)
                    ledger.count("kills")
                }
            }
        }
    }

    /// The same verdict on a store of which a call and a line are gone and a call stands with another rollout has to
    /// say so: a test that cannot fail proves nothing.
    private static func findsDamage(_ verdict: ChaosVerdict, complete: [ChaosLedger.Call]) async throws {
        let gateway = verdict.gateway
        #expect(try await gateway.end(SIGTERM) == 0)
        let names = try await DatabaseQueue(path: gateway.faults.store.path).write { db in
            // Calls that others are stored as changes of would take those with them. Where the gateway has ended a
            // rollout, the last line is its own.
            let calls = try Row.fetchAll(
                db,
                sql: """
                    SELECT c.id, r.id, r.name, r.account, c.tagset FROM call c JOIN rollout r ON r.id = c.rollout
                    WHERE c.state = 0 AND c.id NOT IN (SELECT base FROM call WHERE base IS NOT NULL)
                      AND r.id NOT IN (SELECT rollout FROM attempt WHERE verdict = 1)
                    ORDER BY c.id DESC
                    """)
            let lost: Row = try #require(calls.first)
            let moved = try #require(calls.first { $0[1] != lost[1] as Int64 && $0[3] == lost[3] as Int64 })
            try db.execute(sql: "DELETE FROM call WHERE id = ?", arguments: [lost[0] as Int64])
            try db.execute(
                sql: "UPDATE call SET rollout = ?, tagset = ? WHERE id = ?",
                arguments: [lost[1] as Int64, lost[4] as Int64, moved[0] as Int64])
            try db.execute(
                sql: "DELETE FROM log WHERE id = (SELECT max(id) FROM log WHERE rollout = ?)",
                arguments: [lost[1] as Int64])
            return [lost[2] as Data, moved[2] as Data].map { String(decoding: $0, as: UTF8.self) }
        }
        try await gateway.start()
        let found = try await verdict.faults(in: verdict.places.filter { names.contains($0.rollout) })
        for damage in ["lost, call-", "foreign, call-", "lost, line '"] {
            #expect(found.contains { $0.contains(damage) }, "\(damage) not among \(found)")
        }
    }

    /// Rollouts that must have ended, says a ledger, and of whose bounds the gateway has never heard, have to be found.
    private static func findsEndless(_ gateway: ChaosGateway) async throws {
        let ledger = ChaosLedger()
        for bound in ChaosLedger.Bound.allCases {
            let place = ChaosLedger.Place(account: 0, rollout: "endless-\(bound)")
            var rollout = ChaosRollout(place, gateway, ledger, seed: 0)
            let receipt = await rollout.post(101, ChaosRollout.boundAttempt)
            #expect(receipt != nil)
            ledger.send(ChaosLedger.Term(bound: bound, amount: 1), of: place)
            ledger.acknowledgeTerm(of: place)
        }
        let found = try await ChaosEnds(gateway: gateway, ledger: ledger).faults(within: .seconds(1))
        for bound in ChaosLedger.Bound.allCases {
            #expect(
                found.contains { $0.contains("endless-\(bound)") && $0.contains("has not ended it") },
                "\(bound) not among \(found)")
        }
        #expect(found.contains { $0.contains("no call was refused") }, "the budget not among \(found)")
        #expect(found.contains { $0.contains("calls were answered") }, "the calls not among \(found)")
    }
}
