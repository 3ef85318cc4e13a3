// Part of Rollcall. SPDX-License-Identifier: Apache-2.0

import ArgumentParser
import Foundation
import SQLiteTraceStore
import WireJSON

/// `rollcall store stats`
struct StoreStatsCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "stats", abstract: "Say how much is in the store and how large it is.")

    @OptionGroup var options: StoreOptions

    @Flag(help: "Print one JSON object instead of text.")
    var json = false

    func run() async throws {
        try await CommandFailure.reporting("store stats") {
            let statistics = try StoreInspector(path: try options.path()).statistics()
            StandardStreams.print(json ? Self.json(statistics).description : Self.text(statistics))
        }
    }

    private static func text(_ statistics: StoreStatistics) -> String {
        var lines = [
            "store     \(statistics.path)",
            "on disk   \(ByteCount(statistics.databaseBytes)), \(ByteCount(statistics.freeBytes)) of it free; "
                + "its log \(ByteCount(statistics.logBytes))",
            "accounts  \(statistics.accounts)",
            "rollouts  \(statistics.rollouts), with \(statistics.attempts) named attempts",
            "calls     \(statistics.recordedCalls) recorded, \(statistics.failedCalls) failed, \(statistics.cutCalls) cut",
            "lines     \(statistics.lines)",
            "events    \(statistics.events) kept for subscribers who come back",
        ]
        if let first = statistics.firstAt, let last = statistics.lastAt {
            lines.append("from      \(time(first)) to \(time(last))")
        }
        return lines.joined(separator: "\n")
    }

    private static func json(_ statistics: StoreStatistics) -> JSONValue {
        [
            "path": .string(statistics.path), "database_bytes": .number(JSONNumber(statistics.databaseBytes)),
            "free_bytes": .number(JSONNumber(statistics.freeBytes)),
            "log_bytes": .number(JSONNumber(statistics.logBytes)),
            "accounts": .number(JSONNumber(statistics.accounts)),
            "rollouts": .number(JSONNumber(statistics.rollouts)),
            "attempts": .number(JSONNumber(statistics.attempts)),
            "calls": [
                "recorded": .number(JSONNumber(statistics.recordedCalls)),
                "failed": .number(JSONNumber(statistics.failedCalls)),
                "cut": .number(JSONNumber(statistics.cutCalls)),
            ],
            "lines": .number(JSONNumber(statistics.lines)), "events": .number(JSONNumber(statistics.events)),
            "first_at": statistics.firstAt.map { .string(time($0)) } ?? .null,
            "last_at": statistics.lastAt.map { .string(time($0)) } ?? .null,
        ]
    }

    private static func time(_ microseconds: Int64) -> String {
        Date(timeIntervalSince1970: Double(microseconds) / 1_000_000).formatted(.iso8601)
    }
}
