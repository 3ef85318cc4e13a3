// Part of Rollcall. SPDX-License-Identifier: Apache-2.0

import TraceStore

/// The query of a request for a rollout's tree of calls.
struct ConversationParameters {
    let attempts: AttemptSelection
    let includesRequests: Bool
    /// Only calls recorded after that one.
    private let after: Int
    private let limit: Int

    init(_ query: QueryParameters) throws(Problem) {
        try query.expectOnly(["attempt", "requests", "after", "limit"])
        attempts = try query.attempts()
        switch query.last("requests") {
        case nil, "new": includesRequests = false
        case "full": includesRequests = true
        case let text: throw .parameter("requests", "new or full", found: text)
        }
        after = try query.count("after") ?? 0
        limit = try query.count("limit") ?? .max
    }

    /// The calls that are asked for: the oldest of those that came later, in the tree's order.
    func selection(of nodes: [ConversationTree.Node]) -> [ConversationTree.Node] {
        let later = nodes.filter { $0.id > after }
        guard later.count > limit else { return later }
        guard limit > 0 else { return [] }
        let last = later.map(\.id).sorted()[limit - 1]
        return later.filter { $0.id <= last }
    }
}
