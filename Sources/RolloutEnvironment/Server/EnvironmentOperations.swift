// Part of Rollcall. SPDX-License-Identifier: Apache-2.0

import EvalProtocol
import OpenAPI
import WireJSON

/// What the environment's routes take and answer.
extension APIOperation {
    static let initialize = initialization("initRollout")
    /// The same at `/`, where some callers send it.
    static let initializeAtRoot = initialization("initRolloutAtRoot")

    private static func initialization(_ id: String) -> APIOperation {
        environment(
            id, tag: "Rollouts", "Starts a rollout",
            details:
                "It goes on in the background, or to its end before the answer, as the environment is configured; its "
                + "caller learns from the gateway how it ends. What runs already is joined; of an attempt that has ended "
                + "comes its receipt.",
            body: .initRequest,
            answers: [
                APIAnswer(200, "RUNNING has reached the gateway, or the attempt has ended.", .initAnswer),
                .problem(409, "It has a budget, and the gateway knows the rollout with other ids."),
                .problem(
                    403,
                    "The environment sends no model calls to this `model_base_url`, or pages of this `Origin` may not call "
                        + "it."),
                .later(503, "The gateway cannot be reached, the environment is full, or it is being stopped."),
            ])
    }

    static let cancel = environment(
        "cancelRollouts", tag: "Rollouts", "Cancels rollouts", body: .cancellation,
        answers: [
            APIAnswer(
                200, "What became of each.",
                .object([
                    "results": .array(
                        of: .object([
                            "rollout_id": .string(),
                            "result": .oneOf(values: ["cancelled", "ended", "unknown", "other_attempt"]),
                        ]))
                ])),
            .problem(403, "Pages of this `Origin` may not call the environment."),
        ])

    static let status = environment(
        "getStatus", tag: "Rollouts", "Shows how a rollout stands",
        parameters: [.query("rollout_id", "The rollout.", .rolloutID, isRequired: true)],
        answers: [
            APIAnswer(
                200, "The status; null when nothing is known of it.",
                .object([
                    "terminated": .boolean, "status": .any(of: [.status, .null]),
                    "info": .object(["attempt": .attemptID], optional: ["extras": .object([:])]).orNull,
                ])),
            .problem(400, "There is no rollout id."),
        ])

    static let health = health("getHealth")
    /// The same at `/`.
    static let healthAtRoot = health("getHealthAtRoot")

    private static func health(_ id: String) -> APIOperation {
        environment(
            id, tag: "Operation", "Whether the environment lives, and how full it is",
            answers: [
                APIAnswer(200, "It lives.", .health),
                APIAnswer(503, "Statuses cannot be delivered, or no place will be free; `problem` says why.", .health),
            ], isOpen: true)
    }

    static let metrics = environment(
        "getMetrics", tag: "Operation", "What happens, for Prometheus",
        answers: [APIAnswer(200, "Prometheus' text format 0.0.4.", .string(), type: "text/plain")])

    static let description = environment(
        "getDescription", tag: "Operation", "This description",
        answers: [APIAnswer(200, "OpenAPI 3.1.", .object(["openapi": .string(), "paths": .object([:])]))],
        isOpen: true)

    private static func environment(
        _ id: String, tag: String, _ summary: String, details: String? = nil, parameters: [APIParameter] = [],
        body: Schema? = nil, answers: [APIAnswer], isOpen: Bool = false
    ) -> APIOperation {
        var all = answers
        if body != nil {
            all += [
                .problem(400, "The body is not what it has to be; the field is named."),
                .problem(413, "The body is larger than the environment takes."),
            ]
        }
        if !isOpen {
            all.append(
                .problem(401, "The environment has keys, and this is none of them.")
                    .header("www-authenticate", "The kind of key.", .string()).named("WrongKey"))
        }
        var operation = APIOperation(
            id, tag: tag, summary, details: details, answers: all.sorted { $0.status < $1.status })
        operation.parameters = parameters
        operation.body = body
        operation.isOpen = isOpen
        return operation
    }
}

extension Schema {
    fileprivate static let initRequest = Schema.object(
        [
            "completion_params": .object(["model": .string(minimum: 1)])
                .described("The model and how to sample from it."),
            "metadata": .initMetadata,
        ],
        optional: [
            "messages": .array(of: .message).orNull, "tools": .array(of: .object([:])).orNull,
            "model_base_url": .string(pattern: absoluteURL).orNull
                .described("Where the agent calls its model, without `/chat/completions`."),
            "api_key": .string().orNull.described("The bearer key for that."),
        ]
    ).example([
        "completion_params": ["model": "my-model"], "messages": [["role": "user", "content": "Hello"]],
        "model_base_url": "http://localhost:8787/rollout_id/r/invocation_id/i/experiment_id/e/run_id/n/row_id/0",
        "metadata": [
            "invocation_id": "i", "experiment_id": "e", "rollout_id": "r", "run_id": "n", "row_id": "0",
        ],
    ]).named("InitRequest")

    private static let bound: JSONValue = [
        "type": ["integer", "null"], "minimum": 1, "maximum": .number(Int.max),
    ]

    private static let initMetadata = Schema.object(
        [
            "invocation_id": .string(), "experiment_id": .string(), "rollout_id": .rolloutID, "run_id": .string(),
            "row_id": .string(),
        ],
        optional: [
            "attempt": .any(of: [.attemptID, .null]),
            "deadline_seconds": Schema([
                "type": ["number", "null"], "minimum": 0.001,
                "maximum": .number(RequestedLimits.maximumDeadlineSeconds),
            ]).described("So long after this request the rollout ends with DEADLINE_EXCEEDED, waiting included."),
            "budget": Schema([
                "type": ["object", "null"],
                "properties": .object(JSONObject(Budget.Limit.allCases.map { (JSONString($0.rawValue), bound) })),
                "additionalProperties": false,
            ]).described("What it may use of its model before it ends with RESOURCE_EXHAUSTED."),
        ]
    ).named("InitMetadata")

    /// What ``WebOrigin`` takes, or nothing.
    private static let absoluteURL =
        "^$|^[Hh][Tt][Tt][Pp][Ss]?://([^/?#]*@)?[^/?#@:][^/?#@]*([/?#][\\s\\S]*)?$"

    fileprivate static let initAnswer = Schema.object(
        [
            "status": .oneOf(values: ["accepted", "joined", "ended"]), "rollout_id": .string(), "attempt": .attemptID,
        ],
        optional: [
            "receipt": .object(["status": .status], optional: ["extras": .object([:])])
                .described("How an attempt ended that has, and what its agent gave along.")
        ]
    ).named("InitAnswer")

    fileprivate static let cancellation = Schema.any(of: [
        .object(["all": .constant(true)], optional: ["rollout_id": .null]),
        .object(
            ["rollout_id": .any(of: [.rolloutID, .array(of: .rolloutID)])],
            optional: ["attempt": .any(of: [.attemptID, .null]), "all": .null]),
    ]).named("Cancellation")

    fileprivate static let health = Schema.object(
        [
            "status": .oneOf(values: ["healthy", "stopping", "unhealthy"]), "capacity": .integer(),
            "running": .integer(), "queued": .integer(),
            "abandoned": .integer()
                .described("How many of those that run do not return though they were cancelled and have ended."),
        ],
        optional: ["problem": .string()]
    ).named("Health")
}
