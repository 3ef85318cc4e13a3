// Part of Rollcall. SPDX-License-Identifier: Apache-2.0

import AsyncHTTPClient
import EvalProtocol
import Foundation
import TestSupport
import Testing
import WireJSON

/// Agents that do what agents should not, while their environment and their gateway are killed and started again.
@Suite("Integration: faults") struct FaultTests {
    private static let callers = 24

    @Test("a rollout always ends: once, as it may, in time, and without leaving anything behind") func faults()
        async throws
    {
        var random = SeededGenerator.printingSeed()
        let count = isSoak ? 2_000 : 200
        let storm = FaultRole.deck(count * 3 / 4, named: "storm", using: &random)
        let calm = FaultRole.deck(count / 4, named: "calm", using: &random)
        let seeds = (weather: random.next(), callers: random.next())
        try await withScratch { folder in
            try await Self.withClient { client in
                try await ScriptedHTTPServer.with(Self.answer) { model in
                    let ledger = FaultLedger()
                    let stage = try await FaultStage(in: folder, model: model, client: client, ledger: ledger)
                    defer { stage.end() }

                    let weather = Task { try await Self.weather(stage, seed: seeds.weather) }
                    await Self.run(storm, stage, seed: seeds.callers)
                    weather.cancel()
                    try await weather.value
                    for left in try await stage.leftovers.lasting() { ledger.fault("after the storm: \(left)") }

                    // One whose descriptors can be counted, since nothing kills it.
                    try await stage.interrupt([.environment], isKill: false, for: .zero)
                    await Self.run(Array(calm.prefix(3)), stage, seed: seeds.callers &+ 1)
                    let before = try await stage.idleDescriptors()
                    await Self.run(Array(calm.dropFirst(3)), stage, seed: seeds.callers &+ 2)
                    let after = try await stage.idleDescriptors()
                    for (kind, count) in after where count > before[kind, default: 0] {
                        ledger.fault("\(before[kind, default: 0]) descriptors of the kind \(kind) became \(count)")
                    }
                    for left in try await stage.leftovers.lasting() { ledger.fault("after the calm: \(left)") }

                    let executions = ledger.contents.executions
                    let verdict = FaultVerdict(stage)
                    let found = ledger.contents.faults + (try await verdict.faults(of: executions))
                    #expect(found.isEmpty, "\(found.count): \(found.prefix(10).joined(separator: "\n"))")
                    Self.report(count, ledger.contents, verdict, descriptors: after)
                    // It must have rained, and not only that.
                    let kinds = Set(ledger.contents.outages.map { "\($0.target) \($0.isKill)" })
                    #expect(kinds.count == 4)
                    try await Self.findsFaults(verdict, executions)
                }
            }
        }
    }

    private static func withClient(_ body: (HTTPClient) async throws -> Void) async throws {
        var configuration = HTTPClient.Configuration()
        configuration.connectionPool.retryConnectionEstablishment = false
        configuration.connectionPool.concurrentHTTP1ConnectionsPerHostSoftLimit = 256
        let client = HTTPClient(eventLoopGroupProvider: .singleton, configuration: configuration)
        do {
            try await body(client)
        } catch {
            try? await client.shutdown()
            throw error
        }
        try await client.shutdown()
    }

    /// Answers what it was asked, or never.
    @Sendable private static func answer(_ request: ScriptedHTTPServer.Request) async -> ScriptedHTTPServer.Response {
        if request.json?["model"] == "endless" { try? await Task.sleep(for: .seconds(3_600)) }
        return await ModelAnswers.echo(request)
    }

    private static func run(_ roles: [FaultRole], _ stage: FaultStage, seed: UInt64) async {
        await withTaskGroup(of: Void.self) { group in
            for (number, role) in roles.enumerated() {
                if number >= callers { await group.next() }
                group.addTask {
                    var caller = FaultCaller(role, stage, seed: seed &+ UInt64(number))
                    await caller.run()
                }
            }
        }
    }

    /// Ends the servers and starts them again, until its task is cancelled.
    private static func weather(_ stage: FaultStage, seed: UInt64) async throws {
        var random = SeededGenerator(seed: seed)
        var number = 0
        while !Task.isCancelled {
            try? await Task.sleep(for: .milliseconds(.random(in: 500...3_000, using: &random)))
            // Each of them comes about, however short the test is.
            let kind = number < 6 ? number : Int.random(in: 0..<8, using: &random)
            number += 1
            let short = Duration.milliseconds(.random(in: 0...800, using: &random))
            // What has begun is brought to its end.
            let work = Task {
                switch kind {
                case 0, 6: try await stage.interrupt([.environment], isKill: true, for: short)
                case 1, 7: try await stage.interrupt([.gateway], isKill: true, for: short)
                case 2: try await stage.interrupt([.environment], isKill: false, for: short)
                case 3: try await stage.interrupt([.environment, .gateway], isKill: true, for: short)
                // Longer than the lease.
                case 4: try await stage.interrupt([.environment], isKill: true, for: .seconds(FaultStage.lease + 1))
                default: try await stage.interrupt([.gateway], isKill: false, for: short)
                }
            }
            try await work.value
        }
    }

    private static func report(
        _ count: Int, _ contents: FaultLedger.State, _ verdict: FaultVerdict, descriptors: [String: Int]
    ) {
        func list(_ counts: [String: Int]) -> String {
            counts.sorted { $0.key < $1.key }.map { "\($0.value) \($0.key)" }.joined(separator: ", ")
        }
        let endings = Dictionary(grouping: contents.executions) { $0.ending?.description ?? "none" }
        let latest = contents.executions.max {
            verdict.delay(of: $0) ?? -.infinity < verdict.delay(of: $1) ?? -.infinity
        }
        print(
            """
            faults: \(count) rollouts, accepted \(contents.executions.count) times; \(list(contents.counts))
            faults, endings: \(list(endings.mapValues(\.count)))
            faults, the latest: \(latest.map(verdict.summary) ?? "none"); \(FaultVerdict.allowance) s are allowed
            faults, descriptors of the idle environment: \(list(descriptors))
            """)
    }

    /// What is made wrong on purpose has to be found: a test that cannot fail proves nothing.
    private static func findsFaults(_ verdict: FaultVerdict, _ executions: [FaultLedger.Execution]) async throws {
        let stage = verdict.stage
        let calm = executions.filter { $0.role.rollout.hasPrefix("calm-") && $0.role.behaviour == .finishes }
        let sound = try #require(calm.first)
        let victim = try #require(executions.last { $0.role.rollout != sound.role.rollout })
        var (unknown, other, late, unaccepted) = (sound, sound, sound, sound)
        unknown.role.rollout = "calm-nobody"
        other.role.behaviour = .hangs
        late.accepted -= .seconds(100)
        unaccepted.attempt = "another"
        let line: JSONValue = [
            "tags": [.string("rollout_id:\(victim.role.rollout)")],
            "message": .string("<\(sound.role.rollout) x> lost"),
            "extras": ["stream": "stdout"],
        ]
        #expect(await stage.post(.gateway, "/logs", line)?.status == 200)
        let request = sound.role.request(gatewayURL: stage.gatewayURL, attempt: nil)
        let call: JSONValue = ["model": "scripted", "messages": .array(request.messages.map(\.json))]
        let tags = "/rollout_id/\(victim.role.rollout)/invocation_id/i/experiment_id/e/run_id/u/row_id/w"
        #expect(await stage.post(.gateway, tags + "/chat/completions", call)?.status == 200)
        let found = try await verdict.faults(of: [unknown, other, late, unaccepted, victim])
        for fault in [
            "calm-nobody is not known", "ended with 100 after", "too late: ", "has the terminal statuses [] in another",
            "is foreign to <\(victim.role.rollout) ", "\(victim.role.rollout): a foreign call",
        ] {
            #expect(found.contains { $0.contains(fault) }, "\(fault) not among \(found)")
        }

        let process = Process()
        process.executableURL = URL(fileURLWithPath: "/bin/sleep")
        process.arguments = ["600"]
        let mark = stage.leftovers.mark.split(separator: "=").map(String.init)
        process.environment = [mark[0]: mark[1]]
        process.standardOutput = FileHandle.nullDevice
        process.standardError = FileHandle.nullDevice
        try process.run()
        // It may have inherited that SIGTERM is ignored.
        defer { kill(process.processIdentifier, SIGKILL) }
        try Data().write(to: stage.leftovers.folders[0].appending(path: "left"))
        #expect(try stage.leftovers.found().sorted() == ["file left", "process \(process.processIdentifier)"])
    }
}
