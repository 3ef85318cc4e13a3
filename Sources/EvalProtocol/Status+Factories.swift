// Part of Rollcall. SPDX-License-Identifier: Apache-2.0

public import WireJSON

extension Status {
    public static let running = Status(code: .running, message: "Rollout is running")
    public static let ok = Status(code: .ok, message: "Success")

    /// The rollout came to its end.
    ///
    /// - Parameters:
    ///   - reward: A score that the environment computed itself: `reward` among the extras, where the evaluator finds it
    ///     in the row's `execution_metadata.extra`. With one that is infinite or no number the status is SCORE_INVALID.
    ///   - reason: Why the agent stopped, kept as an `ErrorInfo` detail with reason `TERMINATION_REASON`.
    ///   - info: More that the evaluation should see, kept as an `ErrorInfo` detail with reason `EXTRA_INFO`.
    ///   - extras: What else goes to the row's `execution_metadata.extra`; a key `rollcall` is not taken.
    public static func finished(
        _ message: String = "Rollout finished", reward: Double? = nil, reason: TerminationReason? = nil,
        info: JSONObject? = nil, extras: JSONObject = [:]
    ) -> Status {
        var status = Status(code: .finished, message: message, extras: extras)
        if let reason { status.details.append(ErrorInfo.terminationReason(reason).json) }
        if let info { status.details.append(ErrorInfo.extraInfo(info).json) }
        if let reward {
            if reward.isFinite {
                status.extras["reward"] = .number(reward)
            } else {
                status.code = .scoreInvalid
                status.message += " (its reward is \(reward), which is no score)"
            }
        }
        return status
    }

    /// The rollout ended, and its score must not count.
    public static func scoreInvalid(_ message: String = "Score is invalid", info: JSONObject? = nil) -> Status {
        Status(code: .scoreInvalid, message: message, details: info.map { [ErrorInfo.extraInfo($0).json] } ?? [])
    }

    /// The rollout failed with `code`, by default INTERNAL as Eval Protocol's `rollout_error`.
    public static func error(
        _ message: String, code: StatusCode = .internal, info: JSONObject? = nil
    ) -> Status {
        Status(code: code, message: message, details: info.map { [ErrorInfo.extraInfo($0).json] } ?? [])
    }

    public static func cancelled(_ message: String, info: JSONObject? = nil) -> Status {
        error(message, code: .cancelled, info: info)
    }
    public static func unknown(_ message: String, info: JSONObject? = nil) -> Status {
        error(message, code: .unknown, info: info)
    }
    public static func invalidArgument(_ message: String, info: JSONObject? = nil) -> Status {
        error(message, code: .invalidArgument, info: info)
    }
    public static func deadlineExceeded(_ message: String, info: JSONObject? = nil) -> Status {
        error(message, code: .deadlineExceeded, info: info)
    }
    public static func notFound(_ message: String, info: JSONObject? = nil) -> Status {
        error(message, code: .notFound, info: info)
    }
    public static func alreadyExists(_ message: String, info: JSONObject? = nil) -> Status {
        error(message, code: .alreadyExists, info: info)
    }
    public static func permissionDenied(_ message: String, info: JSONObject? = nil) -> Status {
        error(message, code: .permissionDenied, info: info)
    }
    public static func resourceExhausted(_ message: String, info: JSONObject? = nil) -> Status {
        error(message, code: .resourceExhausted, info: info)
    }
    public static func failedPrecondition(_ message: String, info: JSONObject? = nil) -> Status {
        error(message, code: .failedPrecondition, info: info)
    }
    public static func aborted(_ message: String, info: JSONObject? = nil) -> Status {
        error(message, code: .aborted, info: info)
    }
    public static func outOfRange(_ message: String, info: JSONObject? = nil) -> Status {
        error(message, code: .outOfRange, info: info)
    }
    public static func unimplemented(_ message: String, info: JSONObject? = nil) -> Status {
        error(message, code: .unimplemented, info: info)
    }
    public static func unavailable(_ message: String, info: JSONObject? = nil) -> Status {
        error(message, code: .unavailable, info: info)
    }
    public static func dataLoss(_ message: String, info: JSONObject? = nil) -> Status {
        error(message, code: .dataLoss, info: info)
    }
    public static func unauthenticated(_ message: String, info: JSONObject? = nil) -> Status {
        error(message, code: .unauthenticated, info: info)
    }
    public static func responseQualityError(_ message: String, info: JSONObject? = nil) -> Status {
        error(message, code: .responseQualityError, info: info)
    }
}
