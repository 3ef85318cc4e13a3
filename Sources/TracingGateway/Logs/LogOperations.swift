// Part of Rollcall. SPDX-License-Identifier: Apache-2.0

import OpenAPI
import WireJSON

extension APIOperation {
    static func postLog(_ limits: RouteLimits) -> APIOperation {
        gateway(
            "postLog", tag: "Logs", "Takes a line of a rollout's log",
            details: "A line with a usable `status.code` sets the status of every rollout it is tagged with. What is "
                + "answered 200 is stored.",
            parameters: [.pathAttempt], body: .logLine(limits),
            answers: [
                APIAnswer(200, "The line is stored.", .object(Schema.receipt)),
                .problem(429, "The rollout has as many lines as are kept, and this one has no status.")
                    .named("TooManyLogs"),
            ])
    }

    static func postLogs(_ limits: RouteLimits) -> APIOperation {
        gateway(
            "postLogs", tag: "Logs", "Takes many lines", parameters: [.pathAttempt],
            body: .array(of: .preferably(.batchedLogLine(limits)), maximum: limits.batchItems),
            answers: [APIAnswer(200, "What became of each line.", .batchAnswer)])
    }

    static func searchLogs(_ limits: RouteLimits) -> APIOperation {
        gateway(
            "searchLogs", tag: "Logs", "Finds lines by tag, newest first",
            parameters: [
                .tags, .limit(limits.logs), .hoursBack,
                .query("program", "Only lines of this program.", .string()), .attempts,
            ],
            answers: [APIAnswer(200, "The lines.", .object(["entries": .array(of: .logEntry)]))])
    }
}

extension Schema {
    private static let logFields: KeyValuePairs<String, Schema> = [
        "program": Schema.string().orNull.byDefault("eval_protocol"), "message": .string().orNull,
        "status": .any(of: [.status, .object([:]), .null])
            .described("Kept as it comes; with a known `code` it is the status of the rollout."),
        "extras": .any(of: [
            .object([:], optional: ["level": .anything, "timestamp": .anything, "rollcall": .ownExtras]), .null,
        ]).described("Kept as it comes; `level` is the line's severity."),
    ]

    private static let ownExtras = Schema.members([
        "attempt": .any(of: [.attemptID, .null]),
        "lease_seconds": .seconds(upTo: LogBody.maximumLeaseSeconds).orNull.described(
            "In a line with RUNNING: another line or call of the attempt will come within that time."),
        "renewal": .preferably(.boolean.described("Whether the line is nothing else; it is not stored then.")),
    ]).described("What Rollcall's own senders add.")

    private static func lineTags(_ limits: RouteLimits) -> Schema {
        .array(of: .string(), minimum: 1, maximum: limits.tags).described(
            "`name:value` each, such as `rollout_id:x`; an id has \(limits.idBytes) bytes at most.")
    }

    fileprivate static func logLine(_ limits: RouteLimits) -> Schema {
        .object(["tags": lineTags(limits)], optional: logFields)
            .example([
                "tags": ["rollout_id:quiet-otter-482913"], "message": "Rollout finished", "program": "eval_protocol",
                "status": ["code": 100, "message": "Rollout finished", "details": []], "extras": ["level": "INFO"],
            ]).named("LogLine")
    }

    fileprivate static func batchedLogLine(_ limits: RouteLimits) -> Schema {
        .any(of: [logLine(limits)]).described(
            "A line; with an `id` of its sender's, a string of 1 to \(LogBody.maximumClientIDBytes) bytes, it may be repeated "
                + "without being stored twice. What is none is refused in its place of the answer, and the others are kept."
        )
    }

    fileprivate static let logEntry = Schema.object([
        "timestamp": .timestamp, "message": .string(), "severity": .string(), "tags": .array(of: .string()),
        "status": .object([:]).orNull, "extras": .object([:]).orNull, "id": .string(), "program": .string(),
        "attempt": .integer(minimum: 1).orNull,
        "superseded": .boolean.described("Whether it came too late to count."),
    ]).named("LogEntry")
}
