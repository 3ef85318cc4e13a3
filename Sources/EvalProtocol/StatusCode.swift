// Part of Rollcall. SPDX-License-Identifier: Apache-2.0

/// How a rollout stands or ended: the codes of AIP-193 (google.rpc.Code) and four of Eval Protocol's own.
public enum StatusCode: Int, Sendable, Hashable, CaseIterable {
    case ok = 0
    case cancelled = 1
    case unknown = 2
    case invalidArgument = 3
    case deadlineExceeded = 4
    case notFound = 5
    case alreadyExists = 6
    case permissionDenied = 7
    case resourceExhausted = 8
    case failedPrecondition = 9
    case aborted = 10
    case outOfRange = 11
    case unimplemented = 12
    case `internal` = 13
    case unavailable = 14
    case dataLoss = 15
    case unauthenticated = 16
    case finished = 100
    case running = 101
    case scoreInvalid = 102
    case responseQualityError = 103

    /// The contract's name: `DEADLINE_EXCEEDED`.
    public var name: String {
        switch self {
        case .ok: "OK"
        case .cancelled: "CANCELLED"
        case .unknown: "UNKNOWN"
        case .invalidArgument: "INVALID_ARGUMENT"
        case .deadlineExceeded: "DEADLINE_EXCEEDED"
        case .notFound: "NOT_FOUND"
        case .alreadyExists: "ALREADY_EXISTS"
        case .permissionDenied: "PERMISSION_DENIED"
        case .resourceExhausted: "RESOURCE_EXHAUSTED"
        case .failedPrecondition: "FAILED_PRECONDITION"
        case .aborted: "ABORTED"
        case .outOfRange: "OUT_OF_RANGE"
        case .unimplemented: "UNIMPLEMENTED"
        case .internal: "INTERNAL"
        case .unavailable: "UNAVAILABLE"
        case .dataLoss: "DATA_LOSS"
        case .unauthenticated: "UNAUTHENTICATED"
        case .finished: "FINISHED"
        case .running: "RUNNING"
        case .scoreInvalid: "SCORE_INVALID"
        case .responseQualityError: "RESPONSE_QUALITY_ERROR"
        }
    }

    /// Whether the rollout has ended: every code but ``running``.
    public var isTerminal: Bool { self != .running }

    /// Whether the rollout ended without an error: OK, FINISHED or SCORE_INVALID.
    public var isSuccess: Bool { self == .ok || self == .finished || self == .scoreInvalid }
}
