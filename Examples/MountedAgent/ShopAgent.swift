// Part of Rollcall. SPDX-License-Identifier: Apache-2.0

import RolloutEnvironment

/// Answers customers, with a look at the catalog where the model wants one.
struct ShopAgent {
    let catalog: Catalog

    func run(_ rollout: Rollout) async throws -> Status {
        let run = try await rollout.model.run(rollout.messages, tools: [LookUpPrice(catalog: catalog)], maximumTurns: 8)
        return .finished(reason: run.reason)
    }
}

struct LookUpPrice: Tool {
    struct Arguments: ToolArguments {
        var product: String
    }

    let catalog: Catalog
    let name = "look_up_price"
    let description = "Tells what a product costs, in cents."

    func call(_ arguments: Arguments) async throws -> ToolResult {
        guard let cents = await catalog.price(of: arguments.product) else {
            return .failure("the shop has no \(arguments.product).")
        }
        return "\(cents)"
    }
}
