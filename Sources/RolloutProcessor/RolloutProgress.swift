// Part of Rollcall. SPDX-License-Identifier: Apache-2.0

public import EvalProtocol

/// Something that has become known about a rollout while it runs.
public struct RolloutProgress: Sendable, Hashable {
    public enum Stage: Sendable, Hashable {
        /// The rollout is about to be announced to its gateway.
        case begun
        /// `/init` is about to be sent; the number counts from 1.
        case triggered(attempt: Int)
        /// `/init` was answered.
        case accepted
        /// The environment has reported RUNNING.
        case running
        /// What failed will be tried again after the pause.
        case retrying(pause: Duration)
        /// The rollout goes on under a fresh id, because its gateway cannot tell attempts apart.
        case replaced(rolloutID: String)
        /// The status that counts is known; the trajectory is about to be read.
        case ended(Status)
    }

    public var rowID: String
    public var rolloutID: String
    public var stage: Stage

    public init(rowID: String, rolloutID: String, stage: Stage) {
        self.rowID = rowID
        self.rolloutID = rolloutID
        self.stage = stage
    }
}
