// Part of Rollcall. SPDX-License-Identifier: Apache-2.0

import ArgumentParser
import Foundation
import HTTPTypes
import Hummingbird
import NIOCore
import RolloutEnvironment
import ServiceLifecycle
import UnixSignals

/// An application that has its own routes, its own state and its own way to start and stop, and an agent in it.
@main
struct ShopApplication: AsyncParsableCommand {
    @Option(help: "The address to listen on.")
    var host = "127.0.0.1"

    @Option(help: "The port; 0 takes a free one.")
    var port = 8080

    func run() async throws {
        let catalog = Catalog(["tea": 350, "cup": 900])
        let router = Router()
        addRoutes(of: catalog, to: router)

        // All that the agent needs: /agent/init, /agent/cancel, /agent/status, /agent/health, /agent/metrics.
        let environment = RolloutEnvironment(agent: ShopAgent(catalog: catalog).run)
        environment.addRoutes(to: router.group("agent"))

        let logger = Logger(label: "shop")
        let application = Application(
            router: router, configuration: ApplicationConfiguration(address: .hostname(host, port: port)),
            onServerRunning: { Self.announce($0) }, logger: logger)
        // What is listed last stops first: running rollouts come to their end while the application still answers.
        let group = ServiceGroup(
            configuration: ServiceGroupConfiguration(
                services: [application, environment], gracefulShutdownSignals: [.sigterm, .sigint], logger: logger))
        try await group.run()
    }

    /// What the application was there for before.
    private func addRoutes(of catalog: Catalog, to router: Router<BasicRequestContext>) {
        router.get("/") { _, _ in "The shop is open.\n" }
        router.get("products/:name") { _, context in
            guard let cents = await catalog.price(of: try context.parameters.require("name")) else {
                throw HTTPError(.notFound, message: "There is no such product.")
            }
            return "\(cents)"
        }
        router.put("products/:name/price/:cents") { _, context in
            let cents = try context.parameters.require("cents", as: Int.self)
            await catalog.setPrice(of: try context.parameters.require("name"), to: cents)
            return HTTPResponse.Status.noContent
        }
    }

    /// One line of JSON with the port.
    private static func announce(_ channel: any Channel) {
        let port = channel.localAddress?.port ?? 0
        FileHandle.standardOutput.write(Data("{\"event\":\"ready\",\"service\":\"shop\",\"port\":\(port)}\n".utf8))
    }
}
