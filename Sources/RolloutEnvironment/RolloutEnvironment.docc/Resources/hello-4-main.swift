import Librarian
import RolloutEnvironment

let environment = RolloutEnvironment(agent: LibrarianAgent().run)
try await environment.run(host: "localhost", port: 3000)
