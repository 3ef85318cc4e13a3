// Part of Rollcall. SPDX-License-Identifier: Apache-2.0

import OpenAPI
import WireJSON

extension APIOperation {
    static let events = gateway(
        "streamEvents", tag: "Status", "Streams the statuses of many rollouts",
        details: """
            At least one id has to be named. First comes the current status of every match, then `ready`, then each \
            status as it is set. `reset` says that what the client has seen is out of date, and the current statuses \
            come again. The stream does not end by itself.
            """,
        parameters: APIParameter.rolloutFilter + [
            .header("Last-Event-ID", "Goes on after this event.", .string())
        ],
        answers: [
            APIAnswer(
                200, "Server-sent events; the schema is that of one.",
                .object(
                    ["event": .oneOf(values: ["status", "ready", "reset"]), "data": .eventData],
                    optional: ["id": .string()]),
                type: "text/event-stream"),
            .problem(400, "No rollouts are named."),
        ])
}

extension Schema {
    fileprivate static let eventData = Schema.string().described(
        "JSON: of a `status`, an object with `rollout_id`, `attempt`, `status` and `extras` as `/v1/status` has them; "
            + "of the others, an empty one.")
}
