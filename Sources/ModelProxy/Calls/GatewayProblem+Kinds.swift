// Part of Rollcall. SPDX-License-Identifier: Apache-2.0

import EvalProtocol
import TraceStore
import WireJSON

/// The problems of a request.
extension GatewayProblem {
    static func badRequest(_ message: String, param: String? = nil, code: String = "bad_request") -> GatewayProblem {
        GatewayProblem(status: 400, message, type: "invalid_request_error", code: code, param: param)
    }

    static func wrongPath(_ error: ModelPathError) -> GatewayProblem {
        let sentence = error.description.prefix(1).uppercased() + error.description.dropFirst()
        guard case .idTooLong = error else { return badRequest(sentence + ".", param: "path") }
        return badRequest(
            sentence + ", or start the gateway with a larger --max-id-bytes.", param: "path", code: "id_too_long")
    }

    static func notJSON(_ error: JSONError) -> GatewayProblem {
        badRequest(
            "The request's body is \(error.description). Send one JSON object.", param: "body", code: "invalid_json")
    }

    package static let wrongKey = GatewayProblem(
        status: 401,
        "The bearer key is missing or is none of this gateway's. Set FIREWORKS_API_KEY, and EP_REMOTE_API_KEY for "
            + "the caller of the environment, to a key from ROLLCALL_API_KEYS or --api-keys-file.",
        type: "authentication_error", code: "invalid_api_key", param: "Authorization")

    static func wrongMethod(allowed: String) -> GatewayProblem {
        var problem = GatewayProblem(
            status: 405, "This path takes \(allowed) only.", type: "invalid_request_error", code: "method_not_allowed")
        problem.allow = allowed
        return problem
    }

    static func wrongAPI(_ api: ModelPath.API) -> GatewayProblem {
        let setting =
            switch api {
            case .responses:
                "openai-agents: OpenAIChatCompletionsModel; pydantic-ai: openai-chat:MODEL; agno: OpenAIChat; mirascope: "
                    + "openai:completions; inspect: responses_api=False; langchain: use_responses_api=False; litellm: "
                    + "openai/MODEL with another name"
            case .messages:
                "use a client of the chat completions API, such as openai with base_url, instead of anthropic"
            default: "use client.chat.completions instead of client.completions"
            }
        return GatewayProblem(
            status: 404,
            "This gateway records POST /chat/completions only, not /\(api.rawValue). Make the framework use chat "
                + "completions (\(setting)).",
            type: "invalid_request_error", code: "unsupported_api")
    }

    static func bodyTooLarge(limit: Int) -> GatewayProblem {
        GatewayProblem(
            status: 413,
            "The request's body is larger than \(limit) bytes. Send less, or start the gateway with a larger "
                + "--max-body-bytes.",
            type: "invalid_request_error", code: "body_too_large", param: "--max-body-bytes")
    }
}

/// The problems of load.
extension GatewayProblem {
    static func tooManyBodies(limit: Int) -> GatewayProblem {
        GatewayProblem(
            status: 503,
            "The bodies of all the requests that are coming in are larger than \(limit) bytes together. Send the call "
                + "again later, or start the gateway with a larger --max-incoming-bytes.",
            type: "server_error", code: "overloaded", param: "--max-incoming-bytes", retryAfter: 2,
            isWorthRepeating: true)
    }
}

/// The problems of rollouts.
extension GatewayProblem {
    static func budgetExhausted(_ exhaustion: WatchTable.Exhaustion) -> GatewayProblem {
        GatewayProblem(
            status: 429,
            "The rollout's budget of \(exhaustion.bound) \(exhaustion.limit.words) is used up, so this gateway has ended "
                + "it. Register it with a larger budget to let it do more.",
            type: "insufficient_quota", code: "budget_exhausted", param: "budget.\(exhaustion.limit.rawValue)")
    }
}

/// The problems of upstreams.
extension GatewayProblem {
    static let noUpstream = GatewayProblem(
        status: 503,
        "This gateway has no upstream for calls that do not name one. Start it with --upstream URL, or set "
            + "completion_params.base_url to an allowed one.",
        type: "server_error", code: "no_upstream", param: "--upstream")

    static func upstreamNotAllowed(_ url: UpstreamURL) -> GatewayProblem {
        let origin = url.origin?.description ?? url.host
        return GatewayProblem(
            status: 403,
            "This gateway does not call \(origin)\(url.path). Start it with --allow-upstream \(origin) to allow it.",
            type: "permission_error", code: "upstream_not_allowed", param: "--allow-upstream")
    }

    static func unreachable(_ origin: UpstreamOrigin, _ error: any Error) -> GatewayProblem {
        GatewayProblem(
            status: 502, "The upstream \(origin) cannot be reached: \(UpstreamFailure.sentence(error)).",
            type: "upstream_error", code: "upstream_unreachable", isWorthRepeating: true)
    }

    static func noConnection(to origin: UpstreamOrigin) -> GatewayProblem {
        GatewayProblem(
            status: 503,
            "All connections to \(origin) are in use, and too many calls wait for one, or this one has waited too long. "
                + "Send the call again later, or start the gateway with a larger --max-upstream-connections, "
                + "--max-upstream-waiting or --upstream-wait-seconds.",
            type: "server_error", code: "no_upstream_connection", param: "--max-upstream-connections", retryAfter: 2,
            isWorthRepeating: true)
    }

    package static func upstreamFailed(_ sentence: String) -> GatewayProblem {
        GatewayProblem(
            status: 502, "The upstream failed: \(sentence).", type: "upstream_error", code: "upstream_failed",
            isWorthRepeating: true)
    }

    static func upstreamSilent(seconds: Int64) -> GatewayProblem {
        GatewayProblem(
            status: 504,
            "The upstream sent nothing for \(seconds) seconds; --upstream-first-byte-seconds and "
                + "--upstream-idle-seconds are how long it may.",
            type: "upstream_error", code: "upstream_timeout", isWorthRepeating: true)
    }

    static func unknownEncoding(_ encoding: String) -> GatewayProblem {
        GatewayProblem(
            status: 502,
            "The upstream compressed its answer with \(encoding) although identity was asked for, so that it cannot "
                + "be recorded. Switch compression off there.",
            type: "upstream_error", code: "upstream_encoding")
    }
}

/// The problems of recording.
extension GatewayProblem {
    static func noRoom(_ reason: String) -> GatewayProblem {
        GatewayProblem(
            status: 503, "The call was not made, because it could not be recorded: \(reason).", type: "server_error",
            code: "store_unavailable", retryAfter: 1, isWorthRepeating: true)
    }

    static let notRecorded = GatewayProblem(
        status: 503, "The answer could not be recorded, so it is withheld. Send the call again.",
        type: "server_error", code: "not_recorded", retryAfter: 1, isWorthRepeating: true)

    static func answerTooLarge(limit: Int) -> GatewayProblem {
        GatewayProblem(
            status: 502,
            "The upstream's answer is larger than the \(limit) bytes that are recorded. Ask for less, or start the "
                + "gateway with a larger --max-answer-bytes.",
            type: "upstream_error", code: "answer_too_large", param: "--max-answer-bytes")
    }
}
