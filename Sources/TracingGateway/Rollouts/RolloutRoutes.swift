// Part of Rollcall. SPDX-License-Identifier: Apache-2.0

import EvalProtocol
import Foundation
import HTTPTypes
import Hummingbird
import HummingbirdCore
import TraceStore
import WireJSON

/// Announcing rollouts, and everything that is known of one, its calls among it.
struct RolloutRoutes {
    let ledger: TraceLedger
    let limits: RouteLimits

    func add(to table: inout RouteTable) {
        table.add(.post, ["/v1/rollouts"], .registerRollouts(limits), register)
        table.add(.delete, ["/v1/rollouts"], .deleteRollouts, deleteMatching)
        table.add(.get, ["/v1/rollouts/**"], .rollout, read)
        table.describe(.get, "/v1/rollouts/{rollout_id}/traces", .rolloutTraces)
        table.add(.delete, ["/v1/rollouts/**"], .deleteRollout, delete)
    }

    // MARK: Registration

    @Sendable private func register(_ request: Request, _ context: GatewayContext) async throws -> Response {
        let items = try await request.batch(upTo: limits, context)
        return try await ledger.answer(items) { item throws(JSONDecodingError) in
            .registration(try RegistrationBody(account: context.account, limits: limits).registration(item))
        } id: {
            $0["metadata"]["rollout_id"].value?.string.map { .string($0) } ?? .null
        }
    }

    // MARK: Deletion

    @Sendable private func delete(_ request: Request, _ context: GatewayContext) async throws -> Response {
        guard case .rollout(let id) = try RolloutPath(request) else {
            throw Problem(
                .methodNotAllowed,
                "rollouts are deleted whole: DELETE \(request.uri.path.dropLast("/traces".count)); where the id itself "
                    + "ends in /traces, write %2Ftraces",
                code: "method_not_allowed", allowed: ["GET"])
        }
        let rollout = RolloutKey(account: context.account, rolloutID: id)
        guard try await ledger.delete([Deletion(rollout)]) == 1 else { throw unknown(id) }
        return Response(json: JSONValue.object(["rollout_id": .string(id), "deleted": true]).serialized())
    }

    /// By experiment, run or invocation, or by how long nothing has come; never more for want of a parameter, for an
    /// empty one, or for one whose name is mistyped.
    @Sendable private func deleteMatching(_ request: Request, _ context: GatewayContext) async throws -> Response {
        let query = try QueryParameters(request)
        try query.expectOnly(["experiment_id", "run_id", "invocation_id", "rollout_id", "silent_since"])
        let filter = try query.rolloutFilter()
        let silentSince = try query.timestamp("silent_since")
        guard !filter.isEmpty || silentSince != nil else {
            throw Problem(
                .badRequest,
                "name what is to be deleted by experiment_id, run_id, invocation_id or rollout_id, each repeatable, "
                    + "or by silent_since",
                parameter: "experiment_id")
        }
        let count = try await ledger.deleteRollouts(
            matching: filter, account: context.account, silentSince: silentSince?.microseconds)
        return Response(json: JSONValue.object(["deleted": .number(JSONNumber(count))]).serialized())
    }

    private func unknown(_ id: String) -> Problem {
        Problem(.notFound, "nothing is known of rollout '\(id)'", parameter: "rollout_id", code: "unknown_rollout")
    }

    // MARK: Reading

    @Sendable private func read(_ request: Request, _ context: GatewayContext) async throws -> Response {
        switch try RolloutPath(request) {
        case .traces(let id):
            return try await conversations(of: id, QueryParameters(request), context.account)
        case .rollout(let id):
            guard let page = try await ledger.page(of: RolloutKey(account: context.account, rolloutID: id)) else {
                throw unknown(id)
            }
            return Response(json: Self.json(id, page))
        }
    }

    private func conversations(
        of id: String, _ query: QueryParameters, _ account: Account
    ) async throws -> Response {
        let parameters = try ConversationParameters(query)
        let rollout = RolloutKey(account: account, rolloutID: id)
        guard try await ledger.state(of: rollout) != nil else { throw unknown(id) }
        let links = try await ledger.links(of: rollout, attempts: parameters.attempts, limit: limits.treeCalls + 1)
        guard links.count <= limits.treeCalls else {
            throw Problem(
                .unprocessableContent,
                "the rollout has more than \(limits.treeCalls) calls (--max-calls-per-tree); read one attempt of it with "
                    + "attempt=ID, or its calls by time with /v1/traces?tags=rollout_id:ID&from_timestamp=TIME&to_timestamp=TIME",
                parameter: "attempt", code: "too_many_calls")
        }
        let answer = ConversationAnswer(
            nodes: parameters.selection(of: ConversationTree(links).nodes), account: account,
            includesRequests: parameters.includesRequests, ledger: ledger)
        return try await answer.response()
    }

    // MARK: The page

    private static func json(_ id: String, _ page: RolloutPage) -> [UInt8] {
        var writer = JSONWriter()
        writer.member("rollout_id", .string(id))
        let ids = page.state.ids
        writer.member(
            "metadata",
            [
                "invocation_id": .optional(ids.invocationID), "experiment_id": .optional(ids.experimentID),
                "rollout_id": .string(id), "run_id": .optional(ids.runID), "row_id": .optional(ids.rowID),
            ])
        writer.member("status", raw: page.state.status?.wire)
        writer.member("extras", raw: page.state.status?.extras)
        writer.member("attempts", objects: page.state.attempts.map { attempt($0, of: page.state) })
        writer.member(
            "calls",
            [
                "started": .number(JSONNumber(page.startedCalls)), "recorded": .number(JSONNumber(page.recordedCalls)),
                "failed": .number(JSONNumber(page.failedCalls)), "cut": .number(JSONNumber(page.cutCalls)),
                "unrecorded": .number(JSONNumber(page.unrecordedCalls)),
            ])
        writer.member("terms", page.state.terms.json)
        writer.member("scores", objects: page.scores.map(score))
        writer.member("logs", .number(JSONNumber(page.logs)))
        writer.member("tokens", page.usage.json)
        writer.member("first_seen", .string(Timestamp(microseconds: page.firstSeen).description))
        writer.member("last_seen", .string(Timestamp(microseconds: page.lastSeen).description))
        return writer.finish()
    }

    private static func attempt(_ attempt: RolloutState.Attempt, of state: RolloutState) -> [UInt8] {
        var writer = JSONWriter()
        writer.member("number", .number(JSONNumber(attempt.number)))
        writer.member("attempt", .string(attempt.name))
        writer.member("current", .bool(attempt.number == state.newestAttempt?.number))
        writer.member("status", raw: attempt.status?.wire)
        writer.member("extras", raw: attempt.status?.extras)
        writer.member("terms", attempt.terms.json)
        writer.member("opened_at", .string(Timestamp(microseconds: attempt.openedAt).description))
        return writer.finish()
    }

    private static func score(_ score: StoredScore) -> [UInt8] {
        var writer = JSONWriter()
        writer.member("attempt", .optional(score.attempt))
        writer.member("scorer", .string(score.scorer))
        writer.member("evaluation_result", raw: score.result)
        writer.member("stored_at", .string(Timestamp(microseconds: score.storedAt).description))
        return writer.finish()
    }
}

extension RolloutTerms {
    /// What holds for an attempt, and what it has used; `null` when nothing does.
    fileprivate var json: JSONValue {
        guard areWatched else { return .null }
        var object: JSONObject = [
            "deadline": .optional(deadline.map { Timestamp(microseconds: $0).description }),
            "lease_seconds": lease.map { .number(Double($0) / 1e6) } ?? .null,
        ]
        if let capture { object.append("capture", .string(capture.rawValue)) }
        if let budget {
            object.append("budget", .object(Self.members { budget[$0] }))
            object.append("spent", .object(Self.members { spent?[$0] }))
        }
        return .object(object)
    }

    private static func members(_ value: (Budget.Limit) -> Int?) -> JSONObject {
        var object: JSONObject = [:]
        for limit in Budget.Limit.allCases { object.append(limit.rawValue, .optional(value(limit))) }
        return object
    }
}
