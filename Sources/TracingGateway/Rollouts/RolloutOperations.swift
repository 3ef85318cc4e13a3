// Part of Rollcall. SPDX-License-Identifier: Apache-2.0

import EvalProtocol
import OpenAPI
import WireJSON

extension APIOperation {
    static func registerRollouts(_ limits: RouteLimits) -> APIOperation {
        gateway(
            "registerRollouts", tag: "Rollouts", "Announces rollouts",
            details: "Tells the gateway of a rollout's experiment before its first call or line, and when it is to end "
                + "the rollout. To repeat it changes nothing; of several, the smaller deadline and budget hold, and other "
                + "ids for a known rollout are refused.",
            body: .array(of: .preferably(.registration(limits)), maximum: limits.batchItems),
            answers: [APIAnswer(200, "What became of each; `id` is the rollout's.", .batchAnswer)])
    }

    static let deleteRollouts = gateway(
        "deleteRollouts", tag: "Rollouts", "Deletes rollouts by their ids or by age",
        details: "At least one parameter has to be given; what is deleted is named by all of them.",
        parameters: APIParameter.rolloutFilter + [
            .query("silent_since", "Only those of which nothing has come since.", .timestampQuery)
        ],
        answers: [
            APIAnswer(200, "How many were deleted.", .object(["deleted": .integer(minimum: 0)])),
            .problem(400, "Nothing says what is to be deleted."),
        ])

    static let rollout = gateway(
        "getRollout", tag: "Rollouts", "Shows all that is known of a rollout", parameters: [.rolloutInPath],
        answers: [APIAnswer(200, "The rollout.", .rollout), .problem(404, "Nothing is known of it.")])

    static let rolloutTraces = gateway(
        "getRolloutTraces", tag: "Rollouts", "Shows a rollout's recorded calls as a tree",
        details:
            "A line of JSON each, parents before their children and a call's whole branch before its next sibling. "
            + "A rollout whose id ends in `/traces` has that slash escaped.",
        parameters: [
            .rolloutInPath, .attempts,
            .query("requests", "Whether each line has the whole request too.", .oneOf(values: ["new", "full"])),
            .query("after", "Only calls that were recorded after this one.", .integer(minimum: 0)),
            .query("limit", "Of these so many of the oldest.", .integer(minimum: 0)),
        ],
        answers: [
            APIAnswer(200, "The calls, one a line.", .string(), type: "application/x-ndjson"),
            .problem(404, "Nothing is known of the rollout."),
        ])

    static let deleteRollout = gateway(
        "deleteRollout", tag: "Rollouts", "Deletes a rollout with its calls, lines and statuses",
        parameters: [.rolloutInPath],
        answers: [
            APIAnswer(200, "It is deleted.", .object(["rollout_id": .string(), "deleted": .constant(true)])),
            .problem(404, "Nothing is known of it."),
        ])
}

extension Schema {
    fileprivate static func registration(_ limits: RouteLimits) -> Schema {
        .object(
            ["metadata": .rolloutMetadata],
            optional: [
                "attempt": .any(of: [.attemptID, .null]),
                "deadline_seconds": .number(minimum: 0, maximum: Int(RegistrationBody.maximumDeadlineSeconds)).orNull
                    .described("When the gateway ends the rollout, from now on."),
                "budget": .object([:], optional: bounds).orNull
                    .described("A model call for which it has no room ends the rollout."),
                "capture": .oneOf(values: Capture.allCases.map { .string($0.rawValue) } + [.null])
                    .described("What of its calls is recorded for training; else what the upstream's option says."),
            ]
        )
        .described("The ids have at most \(limits.idBytes) bytes each.").named("Registration")
    }

    private static let bounds: KeyValuePairs<String, Schema> = [
        "calls": .integer(minimum: 1).orNull, "turns": .integer(minimum: 1).orNull,
        "prompt_tokens": .integer(minimum: 1).orNull, "completion_tokens": .integer(minimum: 1).orNull,
    ]

    private static let counts: KeyValuePairs<String, Schema> = [
        "calls": .integer(minimum: 0).orNull, "turns": .integer(minimum: 0).orNull,
        "prompt_tokens": .integer(minimum: 0).orNull, "completion_tokens": .integer(minimum: 0).orNull,
    ]

    private static let terms = Schema.object(
        ["deadline": .timestamp.orNull, "lease_seconds": .number(minimum: 0).orNull],
        optional: ["capture": .string(), "budget": .object(counts), "spent": .object(counts)]
    ).described("When the gateway ends the attempt, and what it has used of its budget.").named("Terms")

    private static let score = Schema.object([
        "attempt": .string().orNull, "scorer": .string(), "evaluation_result": .object([:]), "stored_at": .timestamp,
    ])

    private static let rolloutStatus: KeyValuePairs<String, Schema> = [
        "number": .integer(minimum: 1), "attempt": .string(), "current": .boolean,
        "status": .any(of: [.status, .null]), "extras": .object([:]).orNull, "terms": .any(of: [terms, .null]),
        "opened_at": .timestamp,
    ]

    fileprivate static let rollout = Schema.object([
        "rollout_id": .string(),
        "metadata": .object([
            "invocation_id": .string().orNull, "experiment_id": .string().orNull, "rollout_id": .string(),
            "run_id": .string().orNull, "row_id": .string().orNull,
        ]),
        "status": .any(of: [.status, .null]), "extras": .object([:]).orNull,
        "attempts": .array(of: .object(rolloutStatus)),
        "calls": .object([
            "started": .integer(minimum: 0), "recorded": .integer(minimum: 0), "failed": .integer(minimum: 0),
            "cut": .integer(minimum: 0), "unrecorded": .integer(minimum: 0),
        ]),
        "terms": .any(of: [terms, .null]), "scores": .array(of: score), "logs": .integer(minimum: 0),
        "tokens": .usage, "first_seen": .timestamp, "last_seen": .timestamp,
    ]).named("Rollout")
}
