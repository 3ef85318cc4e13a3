// Part of Rollcall. SPDX-License-Identifier: Apache-2.0

import EvalProtocol
import WireJSON

/// What both servers speak of.
extension Schema {
    /// OpenAI's error object, and its sentence once more as `detail`.
    package static let error = Schema.object(
        [
            "error": .object([
                "message": .string().described("What happened, where, and what to do."),
                "type": .string().described("The class of the error, as OpenAI has it."),
                "param": .string().orNull.described("The field, parameter, header or option that decides."),
                "code": .string().orNull.described("The error itself, for programs."),
            ]),
            "detail": .string().described("The message again, where FastAPI has it."),
        ],
        optional: ["request_id": .string().described("Of the environment: what its log calls the request.")]
    ).named("Error")

    package static let statusCode = Schema.oneOf(values: StatusCode.allCases.map { .number($0.rawValue) })
        .described(
            StatusCode.allCases.map { "\($0.rawValue) \($0.name)" }.joined(separator: ", ")
                + ". All but 101 RUNNING are terminal."
        ).named("StatusCode")

    package static let status = Schema.object([
        "code": .statusCode, "message": .string(),
        "details": .array(of: .object([:])).described("Objects in the style of google.rpc, each with an `@type`."),
    ]).described("How a rollout stands or ended, after AIP-193.").named("Status")

    /// An attempt's name.
    package static let attemptID = Schema.string(pattern: "^[A-Za-z0-9._-]{1,64}$")
        .described("Which execution of a rollout.").named("AttemptID")

    package static let rolloutID = Schema.string(minimum: 1)

    /// The ids that correlate everything about one rollout.
    package static let rolloutMetadata = Schema.object(
        [
            "invocation_id": .string(), "experiment_id": .string(), "rollout_id": rolloutID, "run_id": .string(),
            "row_id": .string(),
        ],
        optional: ["attempt": .any(of: [.attemptID, .null])]
    ).named("RolloutMetadata")

    package static let usage = Schema.object([
        "prompt_tokens": .integer(), "completion_tokens": .integer(), "total_tokens": .integer(),
    ]).named("Usage")

    /// A message of a chat as `/init` takes it.
    package static let message = Schema.object(
        ["role": .string(minimum: 1)],
        optional: [
            "content": .any(of: [.string(), .array(of: .contentPart), .null]),
            "name": .string().orNull, "tool_call_id": .string().orNull,
            "tool_calls": .array(of: .toolCall).orNull,
        ]
    ).described("As the chat completions API has it; further members are kept.").named("Message")

    private static let toolCall = Schema.object([
        "id": .string(), "function": .object(["name": .string(), "arguments": .string()]),
    ]).named("ToolCall")

    private static let contentPart = Schema.any(of: [
        .object(["type": .constant("text"), "text": .string()]),
        .object(["type": .constant("image_url"), "image_url": .object([:])]),
        .object(["type": Schema(["type": "string", "not": ["enum": ["text", "image_url"]]])]),
    ]).named("ContentPart")
}

extension APIAnswer {
    /// An answer that is an error.
    package static func problem(_ status: Int, _ details: String) -> APIAnswer {
        APIAnswer(status, details, .error).requestID
    }

    /// An error after which it is worth to come again.
    package static func later(_ status: Int, _ details: String) -> APIAnswer {
        problem(status, details)
            .header(
                "retry-after", "Seconds to wait, where that may help.", Schema(["type": "integer"]), isRequired: false)
    }

    /// With the name that the server's log and record have for the request.
    package var requestID: APIAnswer {
        header("x-rollcall-request-id", "What the server's log calls the request.", .string(minimum: 1))
    }
}
