// Part of Rollcall. SPDX-License-Identifier: Apache-2.0

import OpenAPI
import WireJSON

extension APIOperation {
    static func searchTraces(_ limits: RouteLimits) -> APIOperation {
        gateway(
            "searchTraces", tag: "Traces", "Finds recorded calls by tag, newest first",
            parameters: [
                .path("project", "Echoed in the answer, and no filter.", .string(minimum: 1)), .tags,
                .limit(limits.traces),
                .query("sample_size", "So many at random of those found.", .integer(minimum: 0)), .hoursBack,
                .query("from_timestamp", "Only later ones, whatever `hours_back` says.", .timestampQuery),
                .query("to_timestamp", "Only earlier ones, whatever `hours_back` says.", .timestampQuery),
                .query("include_payloads", "With token ids, log probabilities and routing.", .flag.byDefault(false)),
                .attempts,
            ] + ignored,
            answers: [
                APIAnswer(
                    200, "The calls; none is no error.",
                    .object([
                        "project_id": .string(), "total_traces": .integer(minimum: 0), "traces": .array(of: .trace),
                    ]))
            ])
    }

    /// What other gateways have a use for.
    private static let ignored: [APIParameter] =
        [
            .query("sleep_between_gets", "Taken and of no effect.", .number(minimum: 0)),
            .query("max_retries", "Taken and of no effect.", .integer(minimum: 0)),
        ]
        + ["user_id", "session_id", "name", "environment", "version", "release", "fields"].map {
            .query($0, "Taken and of no effect.", .string())
        }
}

extension Schema {
    /// Python's clients write `True` and `False`.
    fileprivate static let flag = Schema.any(of: [.boolean, .oneOf(values: [0, 1, "True", "False"])])

    fileprivate static let trace = Schema.object(
        [
            "id": .string(), "name": .string(), "user_id": .null, "session_id": .null,
            "tags": .array(of: .string()), "timestamp": .timestamp,
            "input": .object(["messages": .array(of: .anything)], optional: ["tools": .array(of: .object([:]))]),
            "output": .anything.described("The message of the first choice."),
            "metadata": .traceMetadata,
            "observations": .array(
                of: .object([
                    "id": .string(), "type": .constant("GENERATION"), "name": .string(), "start_time": .timestamp,
                    "end_time": .timestamp, "input": .null, "output": .null, "parent_observation_id": .null,
                    "model": .string().orNull, "usage": .any(of: [.usage, .null]),
                ])),
        ],
        optional: [
            "payloads": .object(
                [:],
                optional: [
                    "logprobs": .payload, "prompt_token_ids": .payload, "router_replay": .payload,
                ])
        ]
    ).named("Trace")

    private static let payload = Schema.object([
        "manifest": .object(["PayloadVersion": .string()]), "data": .string().described("Base64 of a zstd frame."),
    ]).named("Payload")

    private static let traceMetadata = Schema.object([
        "request": .string().described("The body as the client sent it, byte for byte but for a key in it."),
        "edits": .array(of: .string()).described("What was changed in it for the upstream."),
        "upstream": .string(), "streamed": .boolean, "requested_model": .string().orNull,
        "answered_model": .string().orNull, "system_fingerprint": .string().orNull,
        "policy_version": .string().orNull, "attempt": .string().orNull,
        "attempt_number": .integer(minimum: 1).orNull,
        "parent": .string().orNull.described("The call whose conversation this one continues."),
        "choices": .array(of: .anything), "finish_reason": .string().orNull,
        "usage": .any(of: [.usage, .null]), "started_at": .timestamp,
        "microseconds_to_first_byte": .integer(minimum: 0).orNull, "microseconds_to_end": .integer(minimum: 0),
        "capture": .string(), "request_id": .string(),
    ]).named("TraceMetadata")
}
