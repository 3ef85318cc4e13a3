// Part of Rollcall. SPDX-License-Identifier: Apache-2.0

package import EvalProtocol
package import NIOHTTP1
package import TraceStore

/// What a request's head says is to become of it.
package enum CallRoute {
    /// None of the model API's: the router has it.
    case passUp
    case refuse(GatewayProblem, warns: Warning? = nil)
    case call(Accepted)

    /// A class, for it is handed on from one part of the request to the next.
    package final class Accepted {
        package let account: Account
        package let path: ModelPath
        package let target: UpstreamTarget
        package let query: Substring

        init(account: Account, path: ModelPath, target: UpstreamTarget, query: Substring) {
            self.account = account
            self.path = path
            self.target = target
            self.query = query
        }
    }

    /// What a rollout's log is to say about a request that cannot be served.
    package struct Warning {
        package var account: Account
        package var metadata: RolloutMetadata
    }

    package init(_ head: HTTPRequestHead, _ configuration: ProxyConfiguration) {
        let mark = head.uri.utf8.firstIndex(of: UInt8(ascii: "?"))
        let path = mark.map { String(head.uri[..<$0]) } ?? head.uri
        let query = mark.map { head.uri[head.uri.utf8.index(after: $0)...] } ?? ""
        let found: ModelPath?
        do {
            found = try ModelPath(parsing: path)
        } catch {
            self = .refuse(
                .badRequest(
                    error.description.prefix(1).uppercased() + error.description.dropFirst() + ".", param: "path"))
            return
        }
        guard let found else {
            self = .passUp
            return
        }
        guard let account = configuration.keys.account(authorization: head.headers.first(name: "authorization")) else {
            self = .refuse(.wrongKey)
            return
        }
        switch found.api {
        case .responses, .messages, .completions:
            let warning = found.metadata.map { Warning(account: account, metadata: $0) }
            self = .refuse(.wrongAPI(found.api), warns: warning)
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
        switch configuration.upstreams.resolve(baseURL: found.upstreamBaseURL, suffix: found.apiSuffix) {
        case .failure(let problem): self = .refuse(problem)
        case .success(let target):
            self = .call(Accepted(account: account, path: found, target: target, query: query))
        }
    }
}

@available(*, unavailable)
extension CallRoute.Accepted: Sendable {}
