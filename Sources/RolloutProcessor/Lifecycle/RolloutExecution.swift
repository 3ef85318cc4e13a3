// Part of Rollcall. SPDX-License-Identifier: Apache-2.0

package import EvalProtocol
package import WireJSON

/// One execution of a rollout, as the caller counts them.
package struct RolloutExecution: Sendable, Hashable {
    /// Tells late answers of an earlier execution from those of this one.
    package var serial: Int
    package var rolloutID: String
    /// The attempt, unless the gateway takes none.
    package var attempt: AttemptID?
    /// The gateway's number of the attempt, where it told one.
    package var number: Int?

    package init(serial: Int, rolloutID: String, attempt: AttemptID?, number: Int? = nil) {
        self.serial = serial
        self.rolloutID = rolloutID
        self.attempt = attempt
        self.number = number
    }
}

/// How a rollout came to its end.
package struct RolloutEnding: Sendable, Hashable {
    package var status: Status
    /// What the environment's terminal log line carried besides.
    package var extras: JSONObject?
    /// The execution that the status is of.
    package var execution: RolloutExecution
    /// Times `/init` was sent.
    package var tries: Int

    package init(status: Status, extras: JSONObject?, execution: RolloutExecution, tries: Int) {
        self.status = status
        self.extras = extras
        self.execution = execution
        self.tries = tries
    }
}
