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

    func run() async throws {
        let environment = RolloutEnvironment { rollout in
            try await CalculatorAgent(rollout: rollout).run()
        }
        try await environment.run(host: host, port: port)
    }
}
