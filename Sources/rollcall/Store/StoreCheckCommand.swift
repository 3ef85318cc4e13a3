// Part of Rollcall. SPDX-License-Identifier: Apache-2.0

import ArgumentParser
import SQLiteTraceStore

/// `rollcall store check`
struct StoreCheckCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "check",
        abstract: "Say whether the store is whole.",
        discussion: """
            Reads every page, looks whether each record has what it refers to, and puts every call's request together \
            again. The exit code is 1 when something is wrong.
            """)

    @OptionGroup var options: StoreOptions

    func run() async throws {
        try await CommandFailure.reporting("store check") {
            let inspector = try StoreInspector(path: try options.path())
            let problems = try inspector.problems()
            guard problems.isEmpty else {
                for problem in problems { StandardStreams.print(problem) }
                throw ExitCode.failure
            }
            let statistics = try inspector.statistics()
            let calls = statistics.recordedCalls + statistics.failedCalls + statistics.cutCalls
            StandardStreams.print(
                "\(statistics.path) is whole: \(statistics.rollouts) rollouts, \(calls) calls, \(statistics.lines) lines"
            )
        }
    }
}
