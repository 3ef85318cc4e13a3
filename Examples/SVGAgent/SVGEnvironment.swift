// Part of Rollcall. SPDX-License-Identifier: Apache-2.0

import ArgumentParser
import RolloutEnvironment

/// An environment whose model draws: what it drew is checked, rendered and shown its faults until it is a picture.
@main
struct SVGEnvironment: AsyncParsableCommand {
    @Option(help: "The address to listen on; localhost is 127.0.0.1 and ::1.")
    var host = "localhost"

    @Option(help: "The port; 0 takes a free one.")
    var port = 3000

    @Option(help: "How often the model may draw, from 1 to 16.")
    var turns = 4

    func validate() throws {
        guard (1...16).contains(turns) else { throw ValidationError("--turns must be from 1 to 16, not \(turns).") }
    }

    func run() async throws {
        let renderer = SVGRenderer()
        // Told now, not to the first rollout.
        try await renderer.check()
        let agent = PictureAgent(renderer: renderer, maximumTurns: turns)
        var configuration = RolloutEnvironment.Configuration()
        // Pictures are lines at this level.
        configuration.rolloutLogLevel = .debug
        try await RolloutEnvironment(configuration, agent: agent.run).run(host: host, port: port)
    }
}
