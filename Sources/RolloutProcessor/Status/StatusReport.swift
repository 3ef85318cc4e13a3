// Part of Rollcall. SPDX-License-Identifier: Apache-2.0

import EvalProtocol
import RolloutTracing
import WireJSON

/// A status as the gateway told it.
struct StatusReport: Sendable {
    var rolloutID: String
    /// The attempt that has the status, by the name or the number that the gateway gives it.
    var attempt: AttemptID?
    var attemptNumber: Int?
    var status: Status
    var extras: JSONObject?

    /// Whether the status is of this execution and not of an earlier one.
    func concerns(_ execution: RolloutExecution) -> Bool {
        guard rolloutID == execution.rolloutID else { return false }
        guard let own = execution.attempt else { return true }
        if let attempt { return attempt == own }
        if let attemptNumber, let number = execution.number { return attemptNumber >= number }
        return true
    }
}

extension StatusReport {
    init(_ event: StatusEvent) {
        self.init(
            rolloutID: event.rolloutID, attempt: event.attempt, attemptNumber: nil, status: event.status,
            extras: event.extras)
    }
}
