// Part of Rollcall. SPDX-License-Identifier: Apache-2.0

import ArgumentParser
import RolloutEnvironment

/// The smallest environment: one model call, one log line.
@main
struct HelloEnvironment: AsyncParsableCommand {
    @Option(help: "The address to listen on; localhost is 127.0.0.1 and ::1.")
    var host = "localhost"

    @Option(help: "The port; 0 takes a free one.")
    var port = 3000

    func run() async throws {
        let environment = RolloutEnvironment { rollout in
            let answer = try await rollout.model.complete(rollout.messages)
            rollout.logger.info("answered with \(answer.message.text.count) characters")
            return .finished()
        }
        try await environment.run(host: host, port: port)
    }
}
