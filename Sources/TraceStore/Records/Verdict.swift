// Part of Rollcall. SPDX-License-Identifier: Apache-2.0

package import EvalProtocol
import WireJSON

/// How the gateway itself ends an attempt that nobody else ends.
package struct Verdict: Sendable, Hashable {
    package enum Cause: Sendable, Hashable {
        case deadline
        /// Nothing came for this long, in microseconds.
        case lease(Int64)
        case budget(Budget.Limit, Int)
    }

    package var rollout: RolloutKey
    /// The attempt's number, 0 for a rollout without attempts.
    package var attempt: Int
    package var cause: Cause

    package init(rollout: RolloutKey, attempt: Int, cause: Cause) {
        self.rollout = rollout
        self.attempt = attempt
        self.cause = cause
    }

    package var reason: FailureReason {
        switch cause {
        case .deadline: .deadlinePassed
        case .lease: .leaseExpired
        case .budget(let limit, _): limit.reason
        }
    }

    /// The status that the attempt gets.
    package var status: Status {
        switch cause {
        case .deadline:
            reason.status("The rollout had not ended when its deadline passed; the gateway ended it.")
        case .lease(let microseconds):
            reason.status(
                "Nothing came from the environment for \(Self.seconds(microseconds)) s, the lease it had promised to "
                    + "renew; the gateway ended the rollout. See whether the environment was stopped or cut off.",
                metadata: [("lease_seconds", Self.seconds(microseconds))])
        case .budget(let limit, let bound):
            reason.status(
                "The rollout's budget of \(bound) \(limit.words) is used up; the gateway ended it.",
                metadata: [("limit", limit.rawValue), ("bound", String(bound))])
        }
    }

    private static func seconds(_ microseconds: Int64) -> String {
        microseconds % 1_000_000 == 0 ? String(microseconds / 1_000_000) : String(Double(microseconds) / 1e6)
    }
}
