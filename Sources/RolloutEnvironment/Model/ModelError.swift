// Part of Rollcall. SPDX-License-Identifier: Apache-2.0

public import EvalProtocol
import WireJSON

/// A model call that failed, with the status that the rollout gets if the agent lets it through.
public struct ModelError: RolloutFailure, CustomStringConvertible {
    public let reason: FailureReason
    /// One sentence: what happened, at which server, what to do. Never holds a key.
    public let message: String
    /// The HTTP status of the answer, if there was one.
    public let httpStatus: Int?
    /// How long the server asked to be left alone.
    public let retryAfter: Duration?
    /// Whether the same call may succeed when repeated.
    public let isTransient: Bool
    private let metadata: [(name: String, value: String)]

    package init(
        _ reason: FailureReason, _ message: String, httpStatus: Int? = nil, retryAfter: Duration? = nil,
        isTransient: Bool = false, metadata: [(name: String, value: String)] = []
    ) {
        self.reason = reason
        self.message = message
        self.httpStatus = httpStatus
        self.retryAfter = retryAfter
        self.isTransient = isTransient
        self.metadata = metadata
    }

    public var status: Status {
        reason.status(message, metadata: metadata + (httpStatus.map { [("http_status", String($0))] } ?? []))
    }

    public var description: String { message }
}

extension FailureReason {
    /// The reason in a gateway's refusal of a call for which the rollout's budget has no room.
    init?(gatewayError error: JSONValue?) {
        guard error?["code"]?.string == "budget_exhausted" else { return nil }
        switch error?["param"]?.string {
        case "budget.calls": self = .budgetCalls
        case "budget.turns": self = .budgetTurns
        case "budget.prompt_tokens": self = .budgetPromptTokens
        case "budget.completion_tokens": self = .budgetCompletionTokens
        default: return nil
        }
    }

    /// The reason for a model server's answer with this HTTP status.
    package init(modelHTTPStatus status: Int) {
        self =
            switch status {
            case 400, 422: .modelRequestRejected
            case 401: .modelKeyRefused
            case 403: .modelAccessDenied
            case 404: .modelNotFound
            case 408, 504: .modelTimeout
            case 429: .modelRateLimited
            case 500...599: .modelUnavailable
            default: .modelCallFailed
            }
    }
}
