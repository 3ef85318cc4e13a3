// Part of Rollcall. SPDX-License-Identifier: Apache-2.0

package import EvalProtocol
import WireJSON

/// The statuses that the caller's side itself gives a rollout, each with an `ErrorInfo` that says which it is.
package enum RolloutFailures {
    /// The environment answered `/init` with an error.
    package static func refused(code: Int, text: String) -> Status {
        status(
            statusCode(ofHTTP: code), reason: "INIT_REFUSED",
            "The environment refused /init (HTTP \(code))" + (text.isEmpty ? "" : ": \(text)"),
            ["http_status": .number(code)])
    }

    package static func environmentUnreachable(_ reason: String) -> Status {
        status(
            .unavailable, reason: "ENVIRONMENT_UNREACHABLE",
            "The environment gave no answer to /init: \(reason)")
    }

    package static func gatewayUnreachable(_ reason: String) -> Status {
        status(.unavailable, reason: "GATEWAY_UNREACHABLE", "The rollout could not be registered: \(reason)")
    }

    package static func gatewayRefused(code: Int, text: String) -> Status {
        var message = "The rollout could not be registered: \(text)"
        if code == 401 || code == 403 { message += " The caller's key is EP_REMOTE_API_KEY, then FIREWORKS_API_KEY." }
        return status(
            statusCode(ofHTTP: code), reason: "REGISTRATION_REFUSED", message, ["http_status": .number(code)])
    }

    package static func deadlineExceeded(_ timeout: Duration, accepted: Bool, lastStatus: Status?) -> Status {
        let seconds = timeout.inSeconds
        let shown = seconds == seconds.rounded() ? "\(Int(seconds))" : "\(seconds)"
        return status(
            .deadlineExceeded, reason: "CALLER_DEADLINE",
            "The rollout did not end within \(shown) s: /init was \(accepted ? "accepted" : "never answered"), "
                + "the last status was \(lastStatus?.code.name ?? "none"); allow it more time or look at its logs",
            ["timeout_seconds": .number(seconds)])
    }

    /// The rollout ended well, and its gateway has nothing of it.
    package static func noTrace(of rolloutID: String, ended: Status) -> Status {
        amended(
            ended, code: .notFound, reason: "NO_TRACE",
            "No remote data found for rollout \(rolloutID): its environment made no model call through the gateway "
                + "that succeeded")
    }

    package static func unreadableTrace(of rolloutID: String, ended: Status, reason: String) -> Status {
        amended(
            ended, code: .unavailable, reason: "TRACES_UNREADABLE",
            "The traces of rollout \(rolloutID) could not be read: \(reason)")
    }

    package static func nothingAdded(ended: Status) -> Status {
        amended(
            ended, code: .internal, reason: "NOTHING_ADDED",
            "Rollout finished with the same number of messages as the original row")
    }

    /// HTTP's code in the terms of AIP-193.
    package static func statusCode(ofHTTP code: Int) -> StatusCode {
        switch code {
        case 400, 422: .invalidArgument
        case 401: .unauthenticated
        case 403: .permissionDenied
        case 404: .notFound
        case 408, 504: .deadlineExceeded
        case 429: .resourceExhausted
        case 500...: .unavailable
        default: .internal
        }
    }

    private static func status(
        _ code: StatusCode, reason: String, _ message: String, _ metadata: JSONObject = [:]
    ) -> Status {
        Status(code: code, message: message, details: [ErrorInfo(reason: reason, metadata: metadata).json])
    }

    /// The new status keeps what the environment said: its details stand first, its code and message in the `ErrorInfo`.
    private static func amended(_ ended: Status, code: StatusCode, reason: String, _ message: String) -> Status {
        let info = ErrorInfo(
            reason: reason,
            metadata: [
                "reported_code": .number(ended.code.rawValue), "reported_message": .string(ended.message),
            ])
        return Status(code: code, message: message, details: ended.details + [info.json])
    }
}
