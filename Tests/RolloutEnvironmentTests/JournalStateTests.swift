// Part of Rollcall. SPDX-License-Identifier: Apache-2.0

import EvalProtocol
import RolloutEnvironment
import TestSupport
import Testing
import WireJSON

@Suite("RolloutEnvironment: what a journal comes to") struct JournalStateTests {
    static func record(_ rollout: String, _ attempt: String = "a1", at time: Int = 1) -> JournalRecord {
        JournalRecord(
            metadata: RolloutMetadata(
                invocationID: "i", experimentID: "e", rolloutID: rollout, runID: "u", rowID: "w\n\"ü\u{2028}",
                additional: ["secret": "not kept"]),
            attempt: AttemptID(attempt)!, gatewayURL: "http://g", gatewayKey: .own, acceptedAt: time)
    }

    static let command = JournaledCommand(marker: "m", folder: "/tmp/f")
    static let process = JournaledProcess(identifier: 4711, started: 99, boot: "b")

    private static let table: [([JournalEntry], [String])] = {
        let (a, b) = (record("a"), record("b"))
        let done = Status.finished("done", reward: 0.5)
        return [
            ([], []), ([.accepted(a), .accepted(b)], ["a", "b"]), ([.accepted(a), .forgotten(a.key)], []),
            ([.accepted(a), .begun(a.key)], ["a begun"]), ([.begun(a.key)], []),
            ([.accepted(a), .begun(a.key), .forgotten(a.key)], []),
            ([.accepted(a), .ended(a.key, done)], ["a=100"]),
            ([.accepted(a), .ended(a.key, done), .delivered(a.key)], []),
            // What was delivered before the end was something else.
            ([.accepted(a), .delivered(a.key)], ["a"]),
            ([.accepted(a), .commandStarting(a.key, command)], ["a+m"]),
            (
                [.accepted(a), .commandStarting(a.key, command), .commandStarted(a.key, marker: "m", process)],
                ["a+m4711"]
            ),
            ([.accepted(a), .commandStarted(a.key, marker: "m", process)], ["a"]),
            ([.accepted(a), .commandStarting(a.key, command), .commandEnded(a.key, marker: "m")], ["a"]),
            ([.ended(a.key, done), .commandStarting(a.key, command), .delivered(a.key), .forgotten(b.key)], []),
            // What has been reported is kept until what it has started is gone.
            (
                [.accepted(a), .commandStarting(a.key, command), .ended(a.key, done), .delivered(a.key)],
                ["a+m=100 reported"]
            ),
            ([.accepted(a), .commandStarting(a.key, command), .forgotten(a.key)], ["a+m reported"]),
            (
                [
                    .accepted(a), .commandStarting(a.key, command), .ended(a.key, done), .delivered(a.key),
                    .commandEnded(a.key, marker: "m"),
                ], []
            ),
            ([.accepted(b), .accepted(a), .forgotten(b.key), .accepted(b)], ["a", "b"]),
        ]
    }()

    private static func shown(_ state: JournalState) -> [String] {
        state.records.map { record in
            record.metadata.rolloutID + (record.hasBegun ? " begun" : "")
                + record.commands.map { "+\($0.marker)\($0.process.map { "\($0.identifier)" } ?? "")" }.joined()
                + (record.end.map { "=\($0.code.rawValue)" } ?? "") + (record.isReported ? " reported" : "")
        }
    }

    @Test("entries one by one, replayed, and from a snapshot", arguments: table)
    func entries(entries: [JournalEntry], expected: [String]) {
        var state = JournalState()
        for entry in entries { state.apply(entry) }
        #expect(Self.shown(state) == expected)
        var damaged = 0
        let replayed = JournalState(replaying: entries.flatMap(\.line), damaged: &damaged)
        #expect(Self.shown(replayed) == expected)
        let again = JournalState(replaying: state.snapshot, damaged: &damaged)
        #expect(again.records == state.records)
        #expect(damaged == 0)
    }

    @Test(
        "an attempt has a receipt if it had begun, and its end is not forgotten",
        arguments: [
            ([], false), (["begun"], true), (["ended"], false), (["begun", "ended"], true), (["forgotten"], false),
            (["begun", "forgotten"], false), (["begun", "ended", "delivered"], true),
        ])
    func receipts(entries: [String], hasReceipt: Bool) throws {
        var state = JournalState()
        let key = Self.record("a").key
        state.apply(.accepted(Self.record("a")))
        // With a command that is left, nothing is forgotten.
        state.apply(.commandStarting(key, Self.command))
        for entry in entries {
            switch entry {
            case "begun": state.apply(.begun(key))
            case "ended": state.apply(.ended(key, .finished()))
            case "delivered": state.apply(.delivered(key))
            default: state.apply(.forgotten(key))
            }
        }
        #expect(try #require(state.records.first).hasReceipt == hasReceipt)
    }

    @Test("ids, the end and its extras come back; what else the caller sent is not kept") func faithful() {
        let record = Self.record("a")
        let status = FailureReason.timeout.status("line\nend", metadata: [("x", "y")])
        var extras = status
        extras.extras = ["reward": 0.25]
        var damaged = 0
        let state = JournalState(
            replaying: JournalEntry.accepted(record).line + JournalEntry.ended(record.key, extras).line,
            damaged: &damaged)
        #expect(state.records.first?.end == extras)
        #expect(state.records.first?.metadata == record.metadata)
        #expect(!String(decoding: state.snapshot, as: UTF8.self).contains("not kept"))
    }

    @Test("a status larger than is kept loses its extras and not its code") func large() {
        let record = Self.record("a")
        let status = Status.finished(extras: ["big": .string(String(repeating: "x", count: 100_000))])
        var damaged = 0
        let line = JournalEntry.ended(record.key, status).line
        let state = JournalState(replaying: JournalEntry.accepted(record).line + line, damaged: &damaged)
        #expect(line.count < 10_000)
        #expect(state.records.first?.end?.code == .finished)
    }

    @Test("cut anywhere, a journal loses the cut line alone") func cuts() {
        let entries = ["a", "b", "c"].map { JournalEntry.accepted(Self.record($0)) }
        let bytes = entries.flatMap(\.line)
        for length in 0..<bytes.count {
            var damaged = 0
            let state = JournalState(replaying: bytes[..<length], damaged: &damaged)
            let whole = entries.indices.filter { index in
                // The line feed itself may be missing.
                entries[...index].reduce(0) { $0 + $1.line.count } - 1 <= length
            }
            #expect(state.records.count == whole.count)
            #expect(damaged <= 1)
        }
    }

    @Test("damaged anywhere, the other lines are read") func damage() {
        let seed = UInt64.random(in: .min ... .max)
        print("seed \(seed)")
        var generator = SeededGenerator(seed: seed)
        let entries = (0..<20).map { JournalEntry.accepted(Self.record("r\($0)")) }
        for _ in 0..<300 {
            var bytes = entries.flatMap(\.line)
            let place = Int.random(in: 0..<bytes.count, using: &generator)
            bytes[place] ^= UInt8.random(in: 1...255, using: &generator)
            var damaged = 0
            let state = JournalState(replaying: bytes, damaged: &damaged)
            #expect((18...19).contains(state.records.count))
            #expect(damaged >= 1)
        }
    }
}
