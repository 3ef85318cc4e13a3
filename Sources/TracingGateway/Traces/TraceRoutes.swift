// Part of Rollcall. SPDX-License-Identifier: Apache-2.0

import Hummingbird
import HummingbirdCore
import NIOCore
import TraceStore
import WireJSON

/// Reading recorded calls back.
struct TraceRoutes {
    let ledger: TraceLedger
    let limits: RouteLimits

    func add(to table: inout RouteTable) {
        let places = ["", "/v1", "/project_id/:project", "/v1/project_id/:project"]
        table.add(.get, places.flatMap { ["\($0)/traces", "\($0)/traces/pointwise"] }, .searchTraces(limits), search)
    }

    @Sendable private func search(_ request: Request, _ context: GatewayContext) async throws -> Response {
        let parameters = try TraceParameters(QueryParameters(request), context.account, limits)
        let project = context.parameters.get("project") == nil ? "default" : try context.segment("project")
        var ids = try await ledger.calls(parameters.query)
        if let size = parameters.sampleSize, size < ids.count {
            ids = ids.shuffled().prefix(size).sorted(by: >)
        }
        let answer = TraceAnswer(
            ids: ids, project: project, account: context.account, includesPayloads: parameters.includesPayloads,
            ledger: ledger)
        return try await answer.response()
    }
}
