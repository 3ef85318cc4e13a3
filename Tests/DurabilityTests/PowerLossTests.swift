// Part of Rollcall. SPDX-License-Identifier: Apache-2.0

import Foundation
import TestSupport
import Testing

/// A gateway under load is killed, and of what it had not synced the disk keeps anything: nothing acknowledged may be
/// missing, nothing half-written be there. In the short form some dozen times; with ROLLCALL_SOAK hundreds.
@Suite("Durability: power loss", .enabled(if: DiskFaults.isSupported)) struct PowerLossTests {
    private struct Campaign {
        var losses = 0
        var acknowledged = 0
        var faults: [String] = []
        /// The lengths of the writes to the log.
        var logWrites: [Int] = []
    }

    @Test("every acknowledged call, line, status and event is there after the power has failed")
    func losesNothing() async throws {
        var random = SeededGenerator.printingSeed()
        var total = Campaign()
        for _ in 0..<(isSoak ? 25 : 1) {
            let campaign = try await Self.campaign(rounds: 4, lossesPerRound: 5, using: &random)
            total.losses += campaign.losses
            total.acknowledged += campaign.acknowledged
            total.faults += campaign.faults
            total.logWrites += campaign.logWrites
        }
        print(
            "power losses: \(total.losses), records acknowledged: \(total.acknowledged), faults: \(total.faults.count)")
        #expect(total.acknowledged >= 4 * total.losses)
        #expect(total.faults.count == 0, "\(total.faults.prefix(5))")
        // A page and its header by themselves are 4,096 bytes and 24: a commit's are written together.
        let average = total.logWrites.reduce(0, +) / max(1, total.logWrites.count)
        #expect(average > 8192, "\(total.logWrites.count) writes to the log have \(average) bytes on average")
    }

    @Test("with syncs that do nothing the same test finds losses")
    func findsLosses() async throws {
        var random = SeededGenerator.printingSeed()
        let campaign = try await Self.campaign(rounds: 1, lossesPerRound: 10, dropsSyncs: true, using: &random)
        print("power losses without syncs: \(campaign.losses), faults that were found: \(campaign.faults.count)")
        #expect(!campaign.faults.isEmpty)
    }

    /// Several gateways on one store, each started on what the power left of the one before.
    private static func campaign(
        rounds: Int, lossesPerRound: Int, dropsSyncs: Bool = false, using random: inout SeededGenerator
    ) async throws -> Campaign {
        try await withScratch { folder in
            let ledger = Ledger()
            var campaign = Campaign()
            let upstream = try await ScriptedHTTPServer.start { Load.answer($0) }
            for round in 0..<rounds {
                let faults = try await DiskFaults(store: folder.appending(path: "traces.sqlite"))
                ledger.beginRecord()
                let before = try Disk.Files(of: faults.store)
                try await run(faults, upstream.url, ledger, "r\(round)", dropsSyncs, using: &random)

                let record = try DiskRecord(faults.record)
                campaign.logWrites += record.entries.filter { $0.kind == .write && $0.file == .log }.map(
                    \.payload.count)
                var disk = Disk(before, record)
                let length = faults.position
                let early = (1..<lossesPerRound).map { _ in Int.random(in: 0...length, using: &random) }
                var after = before
                for position in early.sorted() + [length] {
                    disk.advance(to: position, using: &random)
                    after = disk.afterPowerLoss(using: &random)
                    let copy = folder.appending(path: "after.sqlite")
                    try after.write(to: copy)
                    campaign.faults += await ledger.faults(in: copy, at: position)
                    campaign.losses += 1
                }
                try after.write(to: faults.store)
            }
            await upstream.stop()
            campaign.acknowledged = ledger.count
            return campaign
        }
    }

    /// Load on a gateway until it is killed.
    private static func run(
        _ faults: DiskFaults, _ upstream: String, _ ledger: Ledger, _ prefix: String, _ dropsSyncs: Bool,
        using random: inout SeededGenerator
    ) async throws {
        let gateway = try faults.gateway(upstream: upstream, dropsSyncs: dropsSyncs)
        defer { gateway.end() }
        _ = try await gateway.ready()
        let load = Load(gateway: gateway, ledger: ledger) { faults.position }
        let (seed, count) = (random.next(), ledger.count + Int.random(in: 40...300, using: &random))
        async let running: Void = load.run(prefix, clients: 12, seed: seed)
        try await eventually("\(count) records") { ledger.count >= count }
        gateway.signal(SIGKILL)
        await running
        _ = try await gateway.exitCode()
    }
}
