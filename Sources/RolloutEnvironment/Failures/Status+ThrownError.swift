// Part of Rollcall. SPDX-License-Identifier: Apache-2.0

import AsyncHTTPClient
package import EvalProtocol
import NIOCore
import NIOPosix
import WireJSON

extension Status {
    /// How a rollout ends whose agent threw `error`.
    package static func thrown(_ error: any Error, secrets: Secrets) -> Status {
        switch error {
        case let failure as any RolloutFailure:
            return ended(failure.status, secrets: secrets)
        case is CancellationError:
            return FailureReason.cancelled.status("The agent was cancelled.")
        case let error as HTTPClientError where Self.timeouts.contains(error):
            return FailureReason.timeout.status("A call timed out: \(error.shortDescription).")
        case let error as HTTPClientError where error == .cancelled:
            return FailureReason.cancelled.status("The agent's call was cancelled.")
        case let error as HTTPClientError:
            return FailureReason.connectionFailed.status("A call failed: \(error.shortDescription).")
        case ChannelError.connectTimeout:
            return FailureReason.timeout.status("A connection could not be made in time.")
        case is NIOConnectionError, is IOError, is ChannelError:
            return FailureReason.connectionFailed.status(secrets.redact("A connection failed: \(error)"))
        default:
            return FailureReason.agentError.status(
                secrets.redact("The agent threw \(type(of: error)): \(error)"))
        }
    }

    /// The status that an agent returned or an error of its gave, made fit to be the rollout's last.
    package static func ended(_ status: Status, secrets: Secrets) -> Status {
        guard status.isTerminal else {
            return FailureReason.agentStatusNotTerminal.status(
                "The agent ended with the status RUNNING; return .finished() or an error status.")
        }
        var status = status
        status.message = secrets.redact(status.message)
        if !status.isSuccess, !status.errorInfos.contains(where: { $0.reason != "EXTRA_INFO" }) {
            status.details.append(FailureReason.agentReported.errorInfo().json)
        }
        return status
    }

    private static let timeouts: [HTTPClientError] = [
        .connectTimeout, .readTimeout, .writeTimeout, .deadlineExceeded, .getConnectionFromPoolTimeout,
        .tlsHandshakeTimeout, .socksHandshakeTimeout, .httpProxyHandshakeTimeout,
    ]
}
