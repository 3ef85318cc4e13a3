// Part of Rollcall. SPDX-License-Identifier: Apache-2.0

import EvalProtocol
import Foundation
import Logging
import NIOHTTP1
import RolloutEnvironment
import RolloutTracing
import TestSupport
import Testing
import WireJSON

@Suite("RolloutEnvironment: the journal on disk") struct JournalTests {
    private static let quiet = Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }

    private static func withFolder<Result>(_ body: (String) async throws -> Result) async throws -> Result {
        let folder = FileManager.default.temporaryDirectory.appending(path: "journal-\(UUID().uuidString)")
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(at: folder) }
        return try await body(folder.appending(path: "journal").path)
    }

    private static func record(
        _ rollout: String, gateway: String, key: JournalRecord.GatewayKey = .none, age: Int = 0
    ) -> JournalRecord {
        JournalRecord(
            metadata: RolloutMetadata(
                invocationID: "i", experimentID: "e", rolloutID: rollout, runID: "u", rowID: "w"),
            attempt: AttemptID("a1")!, gatewayURL: gateway, gatewayKey: key,
            acceptedAt: Int(Date().timeIntervalSince1970) - age)
    }

    /// Waits until the journal's file is let go, a moment after its last line.
    private static func released(_ path: String) async throws {
        try await eventually("free journal") { (try? Journal(path: path, logger: quiet)) != nil }
    }

    private static func configuration(_ path: String) -> RolloutEnvironment.Configuration {
        var configuration = RolloutEnvironment.Configuration.test
        configuration.journal = path
        return configuration
    }

    @Test("is one environment's, its owner's alone, and open to the next") func lock() async throws {
        try await Self.withFolder { path in
            do {
                let journal = try Journal(path: path, logger: Self.quiet)
                let error = #expect(throws: JournalError.self) { try Journal(path: path, logger: Self.quiet) }
                #expect(error?.description.contains("another environment") == true)
                await journal.add(.accepted(Self.record("a", gateway: "http://g")))
                let attributes = try FileManager.default.attributesOfItem(atPath: path)
                #expect(attributes[.posixPermissions] as? Int == 0o600)
            }
            try await Self.released(path)
            let next = try Journal(path: path, logger: Self.quiet)
            #expect(next.recovered.map(\.metadata.rolloutID) == ["a"])
        }
    }

    @Test("an environment whose journal cannot be opened accepts nothing and says why") func unusable() async throws {
        let environment = RolloutEnvironment(Self.configuration("/nowhere/at/all")) { _ in .finished() }
        let answer = await environment.handle(InitRequest.test("a", gateway: "http://127.0.0.1:9").json.serialized())
        #expect(answer.status == 503)
        #expect(String(decoding: answer.body, as: UTF8.self).contains("/nowhere/at/all"))
        await #expect(throws: JournalError.self) { try await environment.run(host: "127.0.0.1", port: 0) }
    }

    @Test("stays short however many rollouts pass, and keeps those that live") func compaction() async throws {
        try await Self.withFolder { path in
            do {
                let journal = try Journal(path: path, logger: Self.quiet)
                journal.append(.accepted(Self.record("lives", gateway: "http://g")))
                for index in 0..<20_000 {
                    let record = Self.record("r\(index)", gateway: "http://g")
                    journal.append(.accepted(record))
                    journal.append(.ended(record.key, .finished()))
                    journal.append(.delivered(record.key))
                }
                await journal.flush()
                let size = try FileManager.default.attributesOfItem(atPath: path)[.size] as? Int ?? 0
                #expect(size <= 2 << 20)
            }
            try await Self.released(path)
            #expect(try Journal(path: path, logger: Self.quiet).recovered.map(\.metadata.rolloutID) == ["lives"])
        }
    }

    @Test(
        "what a killed environment left: its lost rollouts are UNAVAILABLE, ends on their way arrive, old ones are let go"
    )
    func recovery() async throws {
        try await Self.withFolder { path in
            try await FakeGateway.with { gateway in
                do {
                    let journal = try Journal(path: path, logger: Self.quiet)
                    for record in [
                        Self.record("lost", gateway: gateway.url), Self.record("ended", gateway: gateway.url),
                        Self.record("old", gateway: gateway.url, age: 100_000),
                        Self.record("keyed", gateway: gateway.url, key: .caller),
                    ] {
                        await journal.add(.accepted(record))
                    }
                    for rollout in ["lost", "ended", "keyed"] {
                        await journal.add(.begun(Self.record(rollout, gateway: gateway.url).key))
                    }
                    let ended = Self.record("ended", gateway: gateway.url).key
                    await journal.add(.ended(ended, .finished("was on its way", reward: 1)))
                }
                try await Self.released(path)
                gateway.onLine { line in
                    line.rolloutID == "keyed" ? .json(["detail": "no key"], status: 401) : FakeGateway.taken
                }
                let start = ContinuousClock.now
                try await ServedEnvironment.with(
                    RolloutEnvironment(Self.configuration(path)) { _ in .finished() }
                ) { environment in
                    try await eventually("ends") {
                        gateway.terminal(of: "lost") == [.unavailable] && gateway.terminal(of: "ended") == [.finished]
                    }
                    #expect(ContinuousClock.now - start < .seconds(5))
                    let lost = try #require(gateway.lines(of: "lost").last)
                    #expect(lost.json["status"]?["details"]?[0]?["reason"] == "ENVIRONMENT_RESTARTED")
                    #expect(lost.attempt == "a1")
                    #expect(gateway.lines(of: "ended").last?.json["extras"]?["reward"]?.double == 1)
                    // The same attempt is not started again; a new one is.
                    let again = try await environment.initialize(.test("lost", gateway: gateway.url, attempt: "a1"))
                    #expect(again.json?["receipt"]?["status"]?["code"] == 14)
                    #expect(
                        try await environment.initialize(.test("lost", gateway: gateway.url)).json?["status"]
                            == "accepted")
                    try await eventually("end of the new one") {
                        gateway.terminal(of: "lost") == [.unavailable, .finished]
                    }
                }
                #expect(gateway.codes(of: "old").isEmpty)
                // Nothing is left for the one after, once this one has let go.
                try await Self.released(path)
                #expect(try Journal(path: path, logger: Self.quiet).recovered.isEmpty)
            }
        }
    }

    @Test(
        "an attempt that had not begun is begun when it is asked for again, also after a second kill, and noted anew",
        arguments: [JournalRecord.GatewayKey.none, .caller])
    func unbegun(key: JournalRecord.GatewayKey) async throws {
        try await Self.withFolder { path in
            try await FakeGateway.with { gateway in
                do {
                    let journal = try Journal(path: path, logger: Self.quiet)
                    let (first, second) = (
                        Self.record("first", gateway: gateway.url, key: key),
                        Self.record("second", gateway: gateway.url, key: key)
                    )
                    await journal.add(.accepted(first))
                    await journal.add(.accepted(second))
                    // The environment after it was killed before its report of the second had arrived.
                    await journal.add(
                        .ended(second.key, FailureReason.environmentRestarted.status("It was killed.")))
                }
                try await Self.released(path)
                gateway.onLine { line in
                    line.authorization == nil && key == .caller
                        ? .json(["detail": "no key"], status: 401) : FakeGateway.taken
                }
                let environment = RolloutEnvironment(Self.configuration(path)) { _ in
                    try await Task.sleep(for: .seconds(3_600))
                    return .finished()
                }
                try await ServedEnvironment.with(environment) { environment in
                    for rollout in ["first", "second"] {
                        var request = InitRequest.test(rollout, gateway: gateway.url, attempt: "a1")
                        request.apiKey = key == .caller ? "caller-key" : nil
                        #expect(try await environment.initialize(request).json?["status"] == "accepted")
                        // What is reported of it has come before.
                        #expect(gateway.codes(of: rollout).last == .running)
                    }
                    try await eventually("notes") {
                        var damaged = 0
                        let state = JournalState(
                            replaying: try Data(contentsOf: URL(fileURLWithPath: path)), damaged: &damaged)
                        return state.records.count { $0.hasBegun && $0.end == nil && !$0.isReported } == 2
                    }
                    _ = try await environment.post("/cancel", ["all": true])
                }
            }
        }
    }

    @Test("what a killed environment's commands left behind is put away first: processes in any session, and folders")
    func commands() async throws {
        try await Self.withFolder { path in
            try await FakeGateway.with { gateway in
                let marker = UUID().uuidString
                // One that heeds no SIGTERM, and one that has left the session.
                let script = "trap '' TERM; setsid sleep 3600 & echo $!; while :; do sleep 1; done"
                let left = Process()
                left.executableURL = URL(fileURLWithPath: "/bin/sh")
                left.arguments = ["-c", script]
                left.environment = ["PATH": "/usr/bin:/bin", ProcessVariables.marker: marker]
                let folder = FileManager.default.temporaryDirectory.appending(path: "rollcall-rollout-\(marker)")
                try FileManager.default.createDirectory(
                    at: folder.appending(path: "in/it"), withIntermediateDirectories: true)
                let foreign = FileManager.default.temporaryDirectory.appending(path: "foreign-\(marker)")
                try FileManager.default.createDirectory(at: foreign, withIntermediateDirectories: true)
                defer { try? FileManager.default.removeItem(at: foreign) }
                let output = Pipe()
                left.standardOutput = output
                left.standardError = FileHandle.nullDevice
                try left.run()
                let child = try #require(
                    Int32(
                        String(decoding: output.fileHandleForReading.availableData, as: UTF8.self)
                            .trimmingCharacters(in: .whitespacesAndNewlines)))
                do {
                    let journal = try Journal(path: path, logger: Self.quiet)
                    let record = Self.record("lost", gateway: gateway.url)
                    await journal.add(.accepted(record))
                    // The process itself was not noted any more.
                    await journal.add(
                        .commandStarting(record.key, JournaledCommand(marker: marker, folder: folder.path)))
                    // A damaged journal must not cost anybody a folder that no rollout has made.
                    await journal.add(
                        .commandStarting(record.key, JournaledCommand(marker: "nobody's", folder: foreign.path)))
                }
                try await Self.released(path)
                let wereGone = Kept<Bool>()
                gateway.onLine { line in
                    if line.code == .unavailable {
                        wereGone.value =
                            !Self.lives(child) && !Self.lives(left.processIdentifier)
                            && !FileManager.default.fileExists(atPath: folder.path)
                    }
                    return FakeGateway.taken
                }
                let environment = RolloutEnvironment(Self.configuration(path)) { _ in .finished() }
                try await ServedEnvironment.with(environment) { _ in
                    try await eventually("end") { gateway.terminal(of: "lost") == [.unavailable] }
                }
                #expect(wereGone.value == true)
                #expect(FileManager.default.fileExists(atPath: foreign.path))
            }
        }
    }

    @Test("a command that has emptied its environment is known by its process, and no other process is taken for it")
    func process() async throws {
        try await Self.withFolder { path in
            try await FakeGateway.with { gateway in
                func start() throws -> Process {
                    let process = Process()
                    process.executableURL = URL(fileURLWithPath: "/bin/sleep")
                    process.arguments = ["3600"]
                    process.environment = [:]
                    process.standardOutput = FileHandle.nullDevice
                    process.standardError = FileHandle.nullDevice
                    try process.run()
                    return process
                }
                let (left, other) = (try start(), try start())
                // They may have inherited that SIGTERM is ignored.
                defer {
                    for process in [left, other] where process.isRunning { kill(process.processIdentifier, SIGKILL) }
                }
                do {
                    let journal = try Journal(path: path, logger: Self.quiet)
                    let record = Self.record("lost", gateway: gateway.url)
                    await journal.add(.accepted(record))
                    for (process, moved) in [(left, UInt64(0)), (other, 1)] {
                        var noted = try #require(JournaledProcess.living(process.processIdentifier))
                        noted.started += moved
                        let marker = "of-\(process.processIdentifier)"
                        await journal.add(
                            .commandStarting(record.key, JournaledCommand(marker: marker, folder: "", process: noted)))
                    }
                }
                let environment = RolloutEnvironment(Self.configuration(path)) { _ in .finished() }
                try await ServedEnvironment.with(environment) { _ in
                    try await eventually("end") { gateway.terminal(of: "lost") == [.unavailable] }
                }
                #expect(!Self.lives(left.processIdentifier) && Self.lives(other.processIdentifier))
            }
        }
    }

    @Test("a rollout's own notes name its commands, and let go of those that have ended") func notes() async throws {
        try await Self.withFolder { path in
            try await FakeGateway.with { gateway in
                let seen = Kept<[String]>()
                let environment = RolloutEnvironment(Self.configuration(path)) { rollout in
                    let journal = try #require(rollout.journal)
                    await journal.commandStarting(JournaledCommand(marker: "one", folder: "/tmp/one"))
                    await journal.commandStarting(JournaledCommand(marker: "two", folder: "/tmp/two"))
                    journal.commandStarted(
                        marker: "one", process: JournaledProcess(identifier: 4_711, started: 12, boot: "b"))
                    journal.commandEnded(marker: "two")
                    await journal.journal.flush()
                    var damaged = 0
                    let bytes = [UInt8](try Data(contentsOf: URL(fileURLWithPath: path)))
                    let state = JournalState(replaying: bytes, damaged: &damaged)
                    seen.value = state.records.flatMap { record in
                        record.commands.map { command in
                            let process = command.process.map { String($0.identifier) } ?? "none"
                            return "\(record.metadata.rolloutID) \(process) \(command.marker)"
                        }
                    }
                    return .finished()
                }
                try await ServedEnvironment.with(environment) { environment in
                    _ = try await environment.initialize(.test("a", gateway: gateway.url))
                    try await eventually("end") { gateway.terminal(of: "a") == [.finished] }
                }
                #expect(seen.value == ["a 4711 one"])
            }
        }
    }

    /// Whether a process is there and not dead.
    private static func lives(_ identifier: Int32) -> Bool {
        guard let stat = try? String(contentsOfFile: "/proc/\(identifier)/stat", encoding: .utf8) else { return false }
        return stat.split(separator: ")").last?.split(separator: " ").first != "Z"
    }
}
