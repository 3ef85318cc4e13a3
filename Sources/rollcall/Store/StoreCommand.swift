// Part of Rollcall. SPDX-License-Identifier: Apache-2.0

import ArgumentParser
import Foundation

/// `rollcall store`: looks after the file that a gateway records in.
struct StoreCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "store",
        abstract: "Check, back up, measure and prune the file that a gateway records in.",
        discussion: "All but prune without --gateway may be used while the gateway runs.",
        subcommands: [
            StoreCheckCommand.self, StoreBackupCommand.self, StoreStatsCommand.self, StorePruneCommand.self,
        ])
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
