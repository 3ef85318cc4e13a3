// Part of Rollcall. SPDX-License-Identifier: Apache-2.0

import ArgumentParser
import SQLiteTraceStore

/// `rollcall store backup`
struct StoreBackupCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "backup",
        abstract: "Copy the store as it is now into a new file, and check the copy.",
        discussion: "The copy has no free room in it. A gateway can be started on it: --store sqlite:DESTINATION.")

    @OptionGroup var options: StoreOptions

    @Argument(help: "The file to make.")
    var destination: String

    func run() async throws {
        try await CommandFailure.reporting("store backup") {
            try StoreInspector(path: try options.path()).backup(to: destination)
            let statistics = try StoreInspector(path: destination).statistics()
            StandardStreams.print(
                "\(destination) is a whole copy: \(statistics.rollouts) rollouts, "
                    + "\(ByteCount(statistics.databaseBytes))")
        }
    }
}
