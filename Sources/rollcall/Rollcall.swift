// Part of Rollcall. SPDX-License-Identifier: Apache-2.0

import ArgumentParser

@main
struct Rollcall: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "rollcall",
        abstract: "Run remote rollouts of reinforcement fine-tuning on your own machines.",
        subcommands: [GatewayCommand.self, EnvironmentCommand.self, RolloutCommand.self, StoreCommand.self])
}
