// Part of Rollcall. SPDX-License-Identifier: Apache-2.0

import WireJSON

/// Why a rollout failed: the stable reasons in the `ErrorInfo` of error statuses, each with its code and with
/// whose doing it is.
public enum FailureReason: String, Sendable, Hashable, CaseIterable {
    case modelNotConfigured = "MODEL_NOT_CONFIGURED"
    case modelRequestRejected = "MODEL_REQUEST_REJECTED"
    case modelKeyRefused = "MODEL_KEY_REFUSED"
    case modelAccessDenied = "MODEL_ACCESS_DENIED"
    case modelNotFound = "MODEL_NOT_FOUND"
    case modelTimeout = "MODEL_TIMEOUT"
    case modelRateLimited = "MODEL_RATE_LIMITED"
    case modelUnavailable = "MODEL_UNAVAILABLE"
    case modelStreamBroken = "MODEL_STREAM_BROKEN"
    case modelAnswerUnreadable = "MODEL_ANSWER_UNREADABLE"
    case modelAnswerTooLarge = "MODEL_ANSWER_TOO_LARGE"
    case modelCallFailed = "MODEL_CALL_FAILED"
    case answerNotAsAsked = "ANSWER_NOT_AS_ASKED"
    case timeout = "TIMEOUT"
    case connectionFailed = "CONNECTION_FAILED"
    case toolInvalid = "TOOL_INVALID"
    case agentError = "AGENT_ERROR"
    case agentStatusNotTerminal = "AGENT_STATUS_NOT_TERMINAL"
    case agentReported = "AGENT_REPORTED"
    case processNotStarted = "PROCESS_NOT_STARTED"
    case processExited = "PROCESS_EXITED"
    case processCrashed = "PROCESS_CRASHED"
    case processKilled = "PROCESS_KILLED"
    case processMemoryLimit = "PROCESS_MEMORY_LIMIT"
    case processCPULimit = "PROCESS_CPU_LIMIT"
    case cancelled = "CANCELLED"
    case superseded = "SUPERSEDED"
    case endedByGateway = "ENDED_BY_GATEWAY"
    case environmentStopped = "ENVIRONMENT_STOPPED"
    case environmentRestarted = "ENVIRONMENT_RESTARTED"
    case deadlinePassed = "DEADLINE_PASSED"
    case leaseExpired = "LEASE_EXPIRED"
    case budgetCalls = "BUDGET_CALLS"
    case budgetTurns = "BUDGET_TURNS"
    case budgetPromptTokens = "BUDGET_PROMPT_TOKENS"
    case budgetCompletionTokens = "BUDGET_COMPLETION_TOKENS"

    /// Whose doing a failure is: what decides whether a score of zero or no score is right.
    public enum Blame: String, Sendable, Hashable {
        /// The model's behaviour.
        case policy
        /// Servers, keys, networks, configuration.
        case infrastructure
        case unknown
    }

    /// The code that a status with this reason has. The agent's own statuses keep theirs.
    public var code: StatusCode {
        switch self {
        case .modelRequestRejected: .invalidArgument
        case .modelKeyRefused: .unauthenticated
        case .modelAccessDenied: .permissionDenied
        case .modelNotFound: .notFound
        case .modelTimeout, .timeout, .deadlinePassed: .deadlineExceeded
        case .modelRateLimited, .budgetCalls, .budgetTurns, .budgetPromptTokens, .budgetCompletionTokens,
            .processMemoryLimit, .processCPULimit:
            .resourceExhausted
        case .modelUnavailable, .modelStreamBroken, .connectionFailed, .environmentStopped, .environmentRestarted,
            .leaseExpired, .processNotStarted, .processKilled:
            .unavailable
        case .processCrashed: .aborted
        case .cancelled, .superseded, .endedByGateway: .cancelled
        case .modelNotConfigured, .modelAnswerUnreadable, .modelAnswerTooLarge, .modelCallFailed, .answerNotAsAsked,
            .toolInvalid, .agentError, .agentStatusNotTerminal, .agentReported, .processExited:
            .internal
        }
    }

    public var blame: Blame {
        switch self {
        case .answerNotAsAsked, .budgetCalls, .budgetTurns, .budgetPromptTokens, .budgetCompletionTokens: .policy
        case .modelRequestRejected, .modelAnswerTooLarge, .modelCallFailed, .timeout, .agentError, .agentReported,
            .cancelled, .endedByGateway, .deadlinePassed, .processExited, .processCrashed, .processMemoryLimit,
            .processCPULimit:
            .unknown
        case .modelNotConfigured, .modelKeyRefused, .modelAccessDenied, .modelNotFound, .modelTimeout,
            .modelRateLimited, .modelUnavailable, .modelStreamBroken, .modelAnswerUnreadable, .connectionFailed,
            .toolInvalid, .agentStatusNotTerminal, .superseded, .environmentStopped, .environmentRestarted,
            .leaseExpired, .processNotStarted, .processKilled:
            .infrastructure
        }
    }

    /// An error status of this reason.
    ///
    /// - Parameters:
    ///   - message: One sentence for people.
    ///   - code: Another code than the reason's own.
    ///   - metadata: More for programs, beside `blame`.
    public func status(
        _ message: String, code: StatusCode? = nil, metadata: [(name: String, value: String)] = []
    ) -> Status {
        Status(code: code ?? self.code, message: message, details: [errorInfo(metadata).json])
    }

    package func errorInfo(_ metadata: [(name: String, value: String)] = []) -> ErrorInfo {
        var object: JSONObject = ["blame": .string(blame.rawValue)]
        for member in metadata { object.append(member.name, .string(member.value)) }
        return ErrorInfo(reason: rawValue, metadata: object)
    }

    /// The reason that `status` carries, if it is one of these.
    public init?(_ status: Status) {
        guard let reason = status.errorInfos.lazy.compactMap({ FailureReason(rawValue: $0.reason) }).first else {
            return nil
        }
        self = reason
    }
}
