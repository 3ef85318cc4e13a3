// Part of Rollcall. SPDX-License-Identifier: Apache-2.0

import ArgumentParser
import Foundation
import TraceStore

/// `rollcall store`: looks after the file that a gateway records in.
struct StoreCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "store",
        abstract: "Check, back up, measure and prune the file that a gateway records in.",
        discussion: "All but prune without --gateway may be used while the gateway runs.",
        subcommands: [
            StoreCheckCommand.self, StoreBackupCommand.self, StoreStatsCommand.self, StorePruneCommand.self,
        ])

    /// Does what a command of the store does, and ends the program with a sentence when that fails.
    static func reporting(_ command: String, _ body: () async throws -> Void) async throws {
        do {
            try await body()
        } catch let error as StoreError {
            StandardStreams.note("rollcall store \(command): \(error.description)\n")
            throw ExitCode.failure
        } catch let error as GatewaySettingError {
            StandardStreams.note("rollcall store \(command): \(error.description)\n")
            throw ExitCode.validationFailure
        }
    }
}

/// Which store.
struct StoreOptions: ParsableArguments {
    @Option(help: ArgumentHelp("sqlite:PATH (ROLLCALL_STORE; default: sqlite:rollcall.sqlite).", valueName: "store"))
    var store: String?

    func path() throws -> String {
        let variable = ProcessInfo.processInfo.environment["ROLLCALL_STORE"].flatMap { $0.isEmpty ? nil : $0 }
        return try StoreLocation(store ?? variable).path
    }
}
