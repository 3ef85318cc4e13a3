// Part of Rollcall. SPDX-License-Identifier: Apache-2.0

import EvalProtocol
import OpenAPI
import WireJSON

extension APIOperation {
    static func registerRollouts(_ limits: RouteLimits) -> APIOperation {
        gateway(
            "registerRollouts", tag: "Rollouts", "Announces rollouts",
            details: "Tells the gateway of a rollout's experiment before its first call or line. To repeat it changes "
                + "nothing; other ids for a known rollout are refused.",
            body: .array(of: .preferably(.registration(limits)), maximum: limits.batchItems),
            answers: [APIAnswer(200, "What became of each; `id` is the rollout's.", .batchAnswer)])
    }

    static func postScores(_ limits: RouteLimits) -> APIOperation {
        gateway(
            "postScores", tag: "Rollouts", "Takes what scorers made of rollouts",
            details: "The latest of each scorer counts, for each attempt.",
            body: .array(of: .preferably(.score(limits)), maximum: limits.batchItems),
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
                "attempt": .any(of: [.attemptID, .null]).described("Without it, what is said holds for every attempt."),
                "deadline_seconds": .seconds(upTo: RegistrationBody.maximumDeadlineSeconds).orNull
                    .described("After so long the gateway ends the rollout with DEADLINE_EXCEEDED."),
                "budget": budget.orNull.described(
                    "When a call comes for which it has no room, the gateway ends the rollout with RESOURCE_EXHAUSTED."),
                "capture": .oneOf(values: Capture.allCases.map { .string($0.rawValue) } + [.null])
                    .described("What of its calls is recorded for training; else what the upstream's option says."),
            ]
        ).described("The ids have at most \(limits.idBytes) bytes each.").named("Registration")
    }

    private static let budget = Schema.object(
        [:],
        optional: [
            "calls": .integer(minimum: 1).orNull, "turns": .integer(minimum: 1).orNull,
            "prompt_tokens": .integer(minimum: 1).orNull, "completion_tokens": .integer(minimum: 1).orNull,
        ])

    fileprivate static func score(_ limits: RouteLimits) -> Schema {
        .object(
            [
                "rollout_id": .rolloutID, "scorer": .string(minimum: 1),
                "evaluation_result": .object(["score": .number()]).described("Kept as it comes."),
            ],
            optional: [
                "attempt": .any(of: [.attemptID, .null]).described("Without it the newest's.")
            ]
        ).described(
            "The rollout's id has at most \(limits.idBytes) bytes, the scorer's name \(ScoreRoutes.maximumScorerBytes)."
        ).named("Score")
    }

    private static let rolloutStatus: KeyValuePairs<String, Schema> = [
        "number": .integer(minimum: 1), "attempt": .string(), "current": .boolean,
        "status": .any(of: [.status, .null]), "extras": .object([:]).orNull, "terms": terms, "opened_at": .timestamp,
    ]

    private static let terms = Schema.object(
        ["deadline": .any(of: [.timestamp, .null]), "lease_seconds": .number().orNull],
        optional: ["capture": .string(), "budget": .object([:]), "spent": .object([:])]
    ).orNull.described("What the gateway watches over, and what has been used; null when there is nothing.")

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
        "terms": terms,
        "scores": .array(
            of: .object([
                "attempt": .string().orNull, "scorer": .string(), "evaluation_result": .object([:]),
                "stored_at": .timestamp,
            ])),
        "logs": .integer(minimum: 0), "tokens": .usage, "first_seen": .timestamp, "last_seen": .timestamp,
    ]).named("Rollout")
}
