// Part of Rollcall. SPDX-License-Identifier: Apache-2.0

import ArgumentParser
import Foundation
import Logging
import RolloutTracing
import SQLiteTraceStore
import TraceStore

/// `rollcall store prune`
struct StorePruneCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "prune",
        abstract: "Delete rollouts whole: by id, by experiment or run, or those of which nothing has come for a time.",
        discussion: """
            While a gateway has the store, name the gateway with --gateway: what belongs to the account of its key \
            (FIREWORKS_API_KEY, then EP_REMOTE_API_KEY) is deleted. Without --gateway the store is opened, and what \
            belongs to --account is deleted. The room is used again; the file does not shrink, a backup is smaller.
            """)

    @OptionGroup var options: StoreOptions

    @Option(help: ArgumentHelp("The base URL of the gateway that has the store.", valueName: "url"))
    var gateway: String?

    @Option(name: .customLong("rollout"), help: ArgumentHelp("A rollout. Repeatable.", valueName: "id"))
    var rollouts: [String] = []

    @Option(name: .customLong("experiment"), help: ArgumentHelp("An experiment. Repeatable.", valueName: "id"))
    var experiments: [String] = []

    @Option(name: .customLong("run"), help: ArgumentHelp("A run. Repeatable.", valueName: "id"))
    var runs: [String] = []

    @Option(
        help: ArgumentHelp(
            "Only rollouts of which nothing has come for so long: 30d, 12h, 90m or 45s; alone, of all.",
            valueName: "time"))
    var retain: String?

    @Option(help: ArgumentHelp("Whose rollouts, without --gateway.", valueName: "name"))
    var account = Account.default.name

    func validate() throws {
        if let retain, RetentionPeriod(retain) == nil {
            throw ValidationError("--retain is '\(retain)', expected \(RetentionPeriod.expected).")
        }
        guard !(rollouts + experiments + runs).isEmpty || retain != nil else {
            throw ValidationError("Say what is to be deleted: --rollout, --experiment, --run or --retain.")
        }
        guard rollouts.isEmpty || (experiments + runs).isEmpty && retain == nil else {
            throw ValidationError("--rollout names what it deletes by itself; leave the other choices out.")
        }
    }

    func run() async throws {
        try await CommandFailure.reporting("store prune") {
            let count = if let gateway { try await prune(through: gateway) } else { try await pruneFile() }
            StandardStreams.print("\(count) rollouts deleted")
        }
    }

    private var silentSince: Date? {
        retain.flatMap { RetentionPeriod($0) }.map { Date(timeIntervalSinceNow: -Double($0.seconds)) }
    }

    private func prune(through gateway: String) async throws -> Int {
        let variables = ProcessInfo.processInfo.environment
        let key = ["FIREWORKS_API_KEY", "EP_REMOTE_API_KEY"].compactMap { variables[$0] }.first { !$0.isEmpty }
        let client = TracingClient(gatewayURL: gateway, apiKey: key)
        guard rollouts.isEmpty else {
            var count = 0
            for rollout in rollouts where try await client.delete(rollout) { count += 1 }
            return count
        }
        return try await client.deleteRollouts(
            experimentIDs: experiments, runIDs: runs, silentSince: silentSince)
    }

    private func pruneFile() async throws -> Int {
        let path = try options.path()
        guard FileManager.default.fileExists(atPath: path) else {
            throw StoreError(.unusable, "there is no \(path); name the store with --store sqlite:PATH")
        }
        let ledger = TraceLedger(
            store: try SQLiteTraceStore(path: path),
            logger: Logger(label: "rollcall.store") { _ in SwiftLogNoOpLogHandler() })
        let result: Result<Int, any Error>
        do {
            result = .success(
                try await ledger.deleteRollouts(
                    matching: RolloutFilter(experimentIDs: experiments, runIDs: runs, rolloutIDs: rollouts),
                    account: Account(account), silentSince: silentSince.map { Int64($0.timeIntervalSince1970 * 1e6) }))
        } catch {
            result = .failure(error)
        }
        await ledger.finish()
        return try result.get()
    }
}
