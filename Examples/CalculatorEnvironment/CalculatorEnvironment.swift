// Part of Rollcall. SPDX-License-Identifier: Apache-2.0

import ArgumentParser
import RolloutEnvironment

/// An environment of several turns: the model operates a calculator, then states the answer.
@main
struct CalculatorEnvironment: AsyncParsableCommand {
    @Option(help: "The address to listen on; localhost is 127.0.0.1 and ::1.")
    var host = "localhost"

    @Option(help: "The port; 0 takes a free one.")
    var port = 3000

    @Option(help: "A file that lets an environment that was killed report what it lost when it is started again.")
    var journal: String?

    func run() async throws {
        var configuration = RolloutEnvironment.Configuration()
        configuration.journal = journal
        let environment = RolloutEnvironment(configuration) { rollout in
            try await CalculatorAgent(rollout: rollout).run()
        }
        try await environment.run(host: host, port: port)
    }
}
