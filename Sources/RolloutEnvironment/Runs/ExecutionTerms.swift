// Part of Rollcall. SPDX-License-Identifier: Apache-2.0

package import EvalProtocol

/// What an execution was accepted with.
package struct ExecutionTerms: Sendable, Hashable {
    /// The end that the caller asked for, whether it runs or waits by then.
    package var deadline: ExecutionDeadline?
    /// How long its agent may work, by the environment's configuration.
    package var timeout: Duration?
    /// What it may use of its model.
    package var budget: Budget
    /// Whose turn it takes when places are given out.
    package var experimentID: String

    package init(
        deadline: ExecutionDeadline? = nil, timeout: Duration? = nil, budget: Budget = Budget(),
        experimentID: String = ""
    ) {
        self.experimentID = experimentID
        self.deadline = deadline
        self.timeout = timeout
        self.budget = budget
    }

    /// The deadline of an agent that starts now: the earlier of the two.
    package func deadline(startingAt now: ContinuousClock.Instant) -> ExecutionDeadline? {
        guard let timeout else { return deadline }
        let own = ExecutionDeadline(at: now + timeout, limit: .timeout(timeout))
        return deadline.map { $0.at <= own.at ? $0 : own } ?? own
    }
}

/// When an execution ends, and who wants that.
package struct ExecutionDeadline: Sendable, Hashable {
    package enum Limit: Sendable, Hashable {
        /// `deadline_seconds` of `/init`.
        case asked(Duration)
        /// `timeout` of the configuration.
        case timeout(Duration)
    }

    package var at: ContinuousClock.Instant
    package var limit: Limit

    package init(at: ContinuousClock.Instant, limit: Limit) {
        self.at = at
        self.limit = limit
    }

    /// How an execution in `phase` ends for it; `nil` before its time.
    func status(in phase: RolloutRegistry.StateMachine.Phase, now: ContinuousClock.Instant) -> Status? {
        guard at <= now else { return nil }
        let (limit, seconds, message) =
            switch self.limit {
            case .asked(let duration) where phase != .running:
                (
                    "deadline_seconds", duration / .seconds(1),
                    "The rollout's deadline passed before its agent could start, \(duration) after /init: the "
                        + "environment had no free place."
                )
            case .asked(let duration):
                (
                    "deadline_seconds", duration / .seconds(1),
                    "The rollout had not ended \(duration) after /init, its deadline_seconds; its agent was cancelled."
                )
            case .timeout(let duration):
                (
                    "timeout", duration / .seconds(1),
                    "The agent had not returned after \(duration), the environment's timeout; it was cancelled."
                )
            }
        return FailureReason.deadlinePassed.status(
            message, metadata: [("limit", limit), ("seconds", "\(seconds)")])
    }
}
