// Part of Rollcall. SPDX-License-Identifier: Apache-2.0

import EvalProtocol
package import OpenAPI
import WireJSON

/// The description of model calls: the forms of path that ``ModelPath`` reads and clients use.
package enum ModelOperations {
    package static let places: [APIDocument.Place] =
        paths("/chat/completions").map { APIDocument.Place(method: "POST", path: $0, operation: chat) }
        + paths("/embeddings").map { APIDocument.Place(method: "POST", path: $0, operation: embeddings) }
        + paths("/models").map { APIDocument.Place(method: "GET", path: $0, operation: models) }
        + untagged.map { APIDocument.Place(method: "GET", path: $0 + "/models/{model}", operation: model) }

    private static let tags =
        "/rollout_id/{rollout_id}/invocation_id/{invocation_id}/experiment_id/{experiment_id}/run_id/{run_id}"
        + "/row_id/{row_id}"
    private static let untagged = ["/v1", ""]

    private static func paths(_ suffix: String) -> [String] {
        let tagged = [
            tags, "/attempt/{attempt}" + tags, "/project_id/{project_id}" + tags,
            tags + "/encoded_base_url/{encoded_base_url}",
        ]
        return (untagged + tagged).map { $0 + suffix }
    }

    // MARK: The operations

    private static let forms =
        """
        Without ids in the path it is passed on and not recorded. With them it belongs to that rollout. \
        `/attempt/ID`, `/project_id/ID`, `/encoded_base_url/URL` and a `/v1` at the front or before the API's name can \
        be combined, as in `/v1/attempt/a/rollout_id/…/row_id/…/encoded_base_url/…/v1/chat/completions`.
        """

    private static let chat = operation(
        "createChatCompletion", "Calls the model",
        details: """
            A call with a rollout's ids is recorded, and its answer complete only once the record is durable. \(forms)
            """,
        body: .chatRequest,
        answer: APIAnswer(
            "200", "The upstream's answer, unchanged.",
            [("application/json", .chatAnswer), ("text/event-stream", .chatEvent)]))

    private static let embeddings = operation(
        "createEmbedding", "Embeds texts", details: "Passed on, counted and never recorded. \(forms)",
        body: .embeddingRequest, answer: APIAnswer(200, "The upstream's answer, unchanged.", .object([:])))

    private static let models = operation(
        "listModels", "Lists the upstream's models", details: "Passed on and never recorded. \(forms)", body: nil,
        answer: APIAnswer(200, "The upstream's answer, unchanged.", .object([:])))

    private static let model = operation(
        "getModel", "Shows a model of the upstream", details: nil, body: nil,
        answer: APIAnswer(200, "The upstream's answer, unchanged.", .object([:])))

    private static func operation(
        _ id: String, _ summary: String, details: String?, body: Schema?, answer: APIAnswer
    ) -> APIOperation {
        let problems: [APIAnswer] = [
            own(400, "WrongCall", "The body is no JSON object, or something in the path cannot be used."),
            own(401, "WrongCallKey", "The gateway has keys, and this is none of them."),
            own(403, "WrongUpstream", "The gateway does not call the upstream that the path names."),
            own(429, "BudgetExhausted", "The rollout's budget is used up, and the gateway has ended it."),
            own(
                502, "UpstreamFailed", "The upstream cannot be reached, broke off, or answers what cannot be recorded."),
            own(503, "NotRecorded", "The call could not be recorded, there is no upstream, or too many calls wait."),
            own(504, "UpstreamSilent", "The upstream says nothing for too long."),
            APIAnswer("default", "Whatever else the upstream answers, unchanged.", [("*/*", .anything)]).requestID
                .named("UpstreamAnswer"),
        ]
        let ofBodies: [APIAnswer] =
            body == nil
            ? []
            : [
                own(408, "SlowCall", "The body stopped on its way, or takes too long."),
                own(413, "CallTooLarge", "The body is larger than the gateway takes."),
            ]
        var operation = APIOperation(
            id, tag: "Model calls", summary, details: details,
            answers: APIAnswer.sorted([answer.requestID] + problems + ofBodies + APIAnswer.toAnyRequest))
        operation.parameters = parameters
        operation.body = body
        return operation
    }

    /// An error of the gateway's own, in whose place may stand what the upstream answers with this status.
    private static func own(_ status: Int, _ name: String, _ details: String) -> APIAnswer {
        APIAnswer(
            String(status), "\(details) Or the upstream's own answer.",
            [("application/json", .preferably(.error)), ("*/*", .anything)]
        ).requestID.named(name)
    }

    // MARK: The path

    private static let parameters: [APIParameter] = {
        let id = Schema.string(minimum: 1, maximum: ModelPath.maximumIDBytes)
        return [
            .path("rollout_id", "The rollout that calls.", id),
            .path("invocation_id", "The evaluation run that it belongs to.", id),
            .path("experiment_id", "Its experiment.", id),
            .path("run_id", "Its run.", id),
            .path("row_id", "The row of the data set.", id),
            .path("attempt", "The execution of the rollout that calls.", .attemptID),
            .path("project_id", "Echoed by traces, and no filter.", id),
            .path(
                "encoded_base_url",
                "Another upstream than the gateway's own, as URL-safe Base64 of its base URL; it has to be allowed.",
                .encodedBaseURL),
            .path("model", "The model's name.", .modelName),
        ]
    }()
}

extension Schema {
    /// What every upstream asks for; it gets whatever else there is.
    fileprivate static let chatRequest = Schema.object(
        ["model": .string(minimum: 1), "messages": .array(of: .chatMessage)],
        optional: [
            "stream": .boolean.orNull, "n": .integer(minimum: 1).orNull,
            "metadata": .members([
                "tags": .preferably(.array(of: .string()).described("Added to the trace's tags."))
            ]),
        ]
    ).described(
        "The gateway itself asks for an object and no more: what else there has to be is the upstream's to say."
    ).example(["model": "echo", "messages": [["role": "user", "content": "What is the capital of France?"]]])
        .named("ChatCompletionRequest")

    fileprivate static let chatMessage = Schema.object(
        ["role": .string(minimum: 1)],
        optional: ["content": .any(of: [.string(), .array(of: .object([:])), .null])]
    ).named("ChatCompletionMessage")

    fileprivate static let chatEvent = Schema.object([:], optional: ["data": .string()]).described(
        "With `stream`, one of the events: a `chat.completion.chunk` in its data, and `[DONE]` in the last one's. An error "
            + "on the way is an event with an `error` object, and the connection is aborted."
    ).named("ChatCompletionEvent")

    /// No name that would lead to another place of the upstream.
    fileprivate static let modelName = Schema([
        "type": "string", "minLength": 1, "not": ["pattern": "(^|[/\\\\])\\.{1,2}([/\\\\]|$)"],
    ])

    fileprivate static let chatAnswer = Schema.object(
        [:],
        optional: [
            "choices": .array(
                of: .object([:], optional: ["message": .members([:]), "finish_reason": .string().orNull])),
            "usage": .anything,
        ]
    ).named("ChatCompletion")

    fileprivate static let embeddingRequest = Schema.object([
        "model": .string(minimum: 1), "input": .any(of: [.string(), .array(of: .anything)]),
    ]).named("EmbeddingRequest")

    fileprivate static let encodedBaseURL = Schema.string(minimum: 1, format: "base64url-http-url")
        .example("aHR0cDovL2xvY2FsaG9zdDo4MDAwL3Yx")
}
