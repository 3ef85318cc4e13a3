// Part of Rollcall. SPDX-License-Identifier: Apache-2.0

import ModelProxy
import OpenAPI
import WireJSON

extension APIOperation {
    /// A route of the gateway's router. What every request, every query and every body may be answered goes without
    /// saying.
    ///
    /// - Parameters:
    ///   - body: Of the JSON body; `nil` where there is none.
    ///   - answers: Success, and the problems that are this route's own.
    static func gateway(
        _ id: String, tag: String, _ summary: String, details: String? = nil, parameters: [APIParameter] = [],
        body: Schema? = nil, answers: [APIAnswer], isOpen: Bool = false
    ) -> APIOperation {
        var all = answers.map { $0.headers.isEmpty ? $0.requestID : $0 }
        if parameters.contains(where: { $0.place == .query }) {
            all.append(.problem(422, "A parameter is not what it has to be; it is named.").named("WrongParameter"))
        }
        if body != nil { all += APIAnswer.toAnyBody }
        if !isOpen { all.append(.wrongKey) }
        var operation = APIOperation(
            id, tag: tag, summary, details: details, answers: APIAnswer.sorted(all + APIAnswer.toAnyRequest))
        operation.parameters = parameters
        operation.body = body
        operation.isOpen = isOpen
        return operation
    }
}

/// Parameters of more than one route.
extension APIParameter {
    static let tags = query(
        "tags", "Only what carries all of these, such as `rollout_id:x`.",
        .array(of: .string(minimum: 1), minimum: 1), isRequired: true)

    static let hoursBack = query("hours_back", "Only what is not older.", .number(minimum: 0))

    static let attempts = query(
        "attempt", "The attempt whose are wanted, or `all`; without it the newest's.", .attemptID)

    static let pathAttempt = path("attempt", "The attempt that the lines belong to.", .attemptID)

    static let rolloutInPath = path("rollout_id", "The rollout, percent-encoded.", .rolloutID)

    static func limit(_ maximum: Int) -> APIParameter {
        query(
            "limit", "How many at most, the newest; never more than \(maximum).",
            .integer(minimum: 0).byDefault(100))
    }

    /// What names rollouts by their ids.
    static let rolloutFilter = ["experiment_id", "run_id", "invocation_id", "rollout_id"].map { name in
        query(name, "Rollouts of one of these; with other parameters, of those too.", .array(of: .string(minimum: 1)))
    }
}

extension Schema {
    /// A time of day in UTC or with its offset; the offset, the seconds and the time may be missing.
    static let timestampQuery = Schema.string(
        pattern: "^[0-9]{4}-(0[1-9]|1[0-2])-(0[1-9]|[12][0-9]|3[01])([Tt ]([01][0-9]|2[0-3]):[0-5][0-9]"
            + "(:([0-5][0-9]|60)([.,][0-9]+)?)?([Zz]|[+-]([01][0-9]|2[0-3])(:?[0-5][0-9])?)?)?$"
    ).example("2026-01-31T12:00:00Z")

    static func seconds(upTo maximum: Double) -> Schema {
        Schema(["type": "number", "minimum": 0.001, "maximum": .number(maximum)])
    }

    static let timestamp = Schema.string(format: "date-time").example("2026-01-31T12:00:00.123456Z")

    /// What a line or a call of an attempt is told.
    static let receipt: KeyValuePairs<String, Schema> = [
        "attempt": .integer(minimum: 1).orNull.described("The number of the attempt it belongs to."),
        "current": .boolean.orNull.described("Whether that is the rollout's newest."),
        "final": .any(of: [.statusCode, .null]).described("How the attempt ended, if it has; that stands."),
    ]

    /// The answer to a batch: an item each, in order.
    static let batchAnswer = Schema.object([
        "results": .array(
            of: .any(of: [
                .object([
                    "id": .string().orNull, "ok": .constant(true), "duplicate": .boolean,
                    "attempt": .integer(minimum: 1).orNull, "current": .boolean.orNull,
                    "final": .any(of: [.statusCode, .null]),
                ]),
                .object([
                    "id": .string().orNull, "ok": .constant(false),
                    "code": .integer().described("As of HTTP; 429 and 503 may be sent again."), "error": .string(),
                ]),
            ]))
    ]).described("What became of each item, in order; good ones are kept whatever others are like.")
        .named("BatchAnswer")
}
