// Part of Rollcall. SPDX-License-Identifier: Apache-2.0

import ArgumentParser

struct RolloutCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "rollout",
        abstract: "Run rollouts through an environment and show how they ended.")

    @Option(name: [.long, .customLong("remote-server-url")], help: "The environment's base URL.")
    var environment: String

    func run() async throws {
        print(environment)
    }
}
