// Part of Rollcall. SPDX-License-Identifier: Apache-2.0

import EvalProtocol
import NIOHTTP1
import TraceStore

/// What a request's head says is to become of it.
enum CallRoute {
    /// None of the model API's: the router has it.
    case passUp
    case refuse(GatewayProblem, warns: Warning? = nil)
    case call(Accepted)

    struct Accepted {
        let account: Account
        let address: CallAddress
        let target: UpstreamTarget
    }

    /// What a rollout's log is to say about a request that cannot be served.
    struct Warning {
        var account: Account
        var metadata: RolloutMetadata
    }

    init(_ head: RequestHead, _ services: LoopServices) {
        let found: CallAddress?
        do {
            found = try services.addresses.address(head.target)
        } catch {
            self = .refuse(.wrongPath(error))
            return
        }
        guard let address = found else {
            self = .passUp
            return
        }
        guard let account = services.configuration.keys.account(bytes: head.authorization) else {
            self = .refuse(.wrongKey)
            return
        }
        switch address.path.api {
        case .responses, .messages, .completions:
            let warning = address.path.metadata.map { Warning(account: account, metadata: $0) }
            self = .refuse(.wrongAPI(address.path.api), warns: warning)
            return
        case .models:
            guard head.method == .GET || head.method == .HEAD else {
                self = .refuse(.wrongMethod(allowed: "GET, HEAD"))
                return
            }
        case .chatCompletions, .embeddings:
            guard head.method == .POST else {
                self = .refuse(.wrongMethod(allowed: "POST"))
                return
            }
        }
        switch address.target {
        case .failure(let problem): self = .refuse(problem)
        case .success(let target): self = .call(Accepted(account: account, address: address, target: target))
        }
    }
}
