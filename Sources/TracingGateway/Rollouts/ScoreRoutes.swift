// Part of Rollcall. SPDX-License-Identifier: Apache-2.0

import EvalProtocol
import Hummingbird
import HummingbirdCore
import TraceStore
import WireJSON

/// Taking what scorers made of rollouts.
struct ScoreRoutes {
    let ledger: TraceLedger
    let limits: RouteLimits

    static let maximumScorerBytes = 256

    func add(to table: inout RouteTable) {
        table.add(.post, ["/v1/scores"], .postScores(limits), post)
    }

    @Sendable private func post(_ request: Request, _ context: GatewayContext) async throws -> Response {
        let items = try await request.batch(upTo: limits)
        return try await ledger.answer(items) { item throws(JSONDecodingError) in
            .score(try score(item, context.account))
        } id: {
            $0["rollout_id"].value?.string.map { .string($0) } ?? .null
        }
    }

    private func score(_ item: JSONReader, _ account: Account) throws(JSONDecodingError) -> Score {
        _ = try item.object()
        let rolloutID = try item["rollout_id"].nonEmptyString()
        guard rolloutID.utf8.count <= limits.idBytes else {
            throw item["rollout_id"].error(expected: "at most \(limits.idBytes) bytes")
        }
        let scorer = try item["scorer"].nonEmptyString()
        guard scorer.utf8.count <= Self.maximumScorerBytes else {
            throw item["scorer"].error(expected: "at most \(Self.maximumScorerBytes) bytes")
        }
        let result = item["evaluation_result"]
        _ = try result.object()
        guard result["score"].value?.double?.isFinite == true else {
            throw result["score"].error(expected: "a number")
        }
        return Score(
            rollout: RolloutKey(account: account, rolloutID: rolloutID),
            attempt: try item["attempt"].present?.decode(), scorer: scorer, result: result.value?.serialized() ?? [])
    }
}
