import Foundation
import Librarian
import RolloutEnvironment

let settings = ProcessInfo.processInfo.environment

var configuration = RolloutEnvironment.Configuration()
configuration.timeout = .seconds(300)
configuration.budget.turns = 10
configuration.journal = settings["LIBRARIAN_JOURNAL"]
if let gateway = settings["FW_TRACING_GATEWAY_BASE_URL"] { configuration.allowedModelOrigins = [gateway] }
if let key = settings["FIREWORKS_API_KEY"] { configuration.acceptedAPIKeys = [key] }

let environment = RolloutEnvironment(configuration, agent: LibrarianAgent().run)
try await environment.run(host: settings["LIBRARIAN_HOST"] ?? "localhost", port: 3000)
