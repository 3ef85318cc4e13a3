// Part of Rollcall. SPDX-License-Identifier: Apache-2.0

import EvalProtocol
import HTTPTypes
import Hummingbird
import HummingbirdCore
import TraceStore
import WireJSON

/// Taking log lines and reading them back.
struct LogRoutes {
    let ledger: TraceLedger
    let limits: RouteLimits

    func add(to table: inout RouteTable) {
        table.add(
            .post, ["/logs", "/v1/logs", "/attempt/:attempt/logs", "/attempt/:attempt/v1/logs"], .postLog(limits), post)
        table.add(.post, ["/v1/logs/batch", "/attempt/:attempt/v1/logs/batch"], .postLogs(limits), postBatch)
        table.add(.get, ["/logs", "/v1/logs"], .searchLogs(limits), search)
    }

    private func body(_ context: GatewayContext) throws(Problem) -> LogBody {
        guard context.parameters.get("attempt") != nil else {
            return LogBody(account: context.account, pathAttempt: nil, limits: limits)
        }
        let text = try context.segment("attempt")
        guard let attempt = AttemptID(text) else {
            throw Problem(
                .badRequest, "the path's attempt id must be 1 to 64 of A-Z, a-z, 0-9, '.', '_' and '-'",
                parameter: "attempt")
        }
        return LogBody(account: context.account, pathAttempt: attempt, limits: limits)
    }

    @Sendable private func post(_ request: Request, _ context: GatewayContext) async throws -> Response {
        let reading = try body(context)
        let bytes = try await request.bytes(upTo: limits, context)
        let record: LogRecord
        do {
            record = try reading.record(JSONReader(JSONValue(parsing: bytes)))
        } catch {
            throw Problem.body(error)
        }
        guard let result = try await ledger.take([.log(record)]).first else {
            throw Problem.unavailable("the store answered nothing")
        }
        switch ItemResult(result) {
        case .accepted(let receipt): return Response(json: JSONValue.object(receipt.answer).serialized())
        case .refused(503, let sentence, _): throw Problem.unavailable(sentence)
        case .refused(429, let sentence, _): throw Problem.tooManyLogs(sentence)
        case .refused(_, let sentence, _): throw Problem(.badRequest, sentence)
        }
    }

    @Sendable private func postBatch(_ request: Request, _ context: GatewayContext) async throws -> Response {
        let reading = try body(context)
        let items = try await request.batch(upTo: limits, context)
        return try await ledger.answer(items) { item throws(JSONDecodingError) in
            .log(try reading.batchRecord(item))
        } id: {
            $0["id"].value?.string.map { .string($0) } ?? .null
        }
    }

    @Sendable private func search(_ request: Request, _ context: GatewayContext) async throws -> Response {
        let parameters = try QueryParameters(request)
        let tags = try parameters.requiredList("tags", "at least one tag such as rollout_id:x")
        let since = try parameters.number("hours_back").map {
            QueryParameters.since(hoursBack: $0, now: WallClock.now())
        }
        var query = LogQuery(
            account: context.account, tags: tags, program: parameters.last("program"),
            limit: min(try parameters.count("limit") ?? 100, limits.logs), since: since,
            attempts: try parameters.attempts())
        query.maximumBytes = limits.logAnswerBytes
        var writer = JSONWriter()
        writer.member("entries", objects: try await ledger.logs(query).map(Self.entry))
        return Response(json: writer.finish())
    }

    private static func entry(_ log: StoredLog) -> [UInt8] {
        var writer = JSONWriter()
        writer.member("timestamp", .string(Timestamp(microseconds: log.id).description))
        writer.member("message", .string(log.message))
        writer.member("severity", .string(log.severity))
        writer.member("tags", .array(log.tags.map { .string($0) }))
        writer.member("status", raw: log.status)
        writer.member("extras", raw: log.extras)
        writer.member("id", .string(String(log.id)))
        writer.member("program", .string(log.program))
        writer.member("attempt", .optional(log.attempt))
        writer.member("superseded", .bool(log.superseded))
        return writer.finish()
    }
}
