// Part of Rollcall. SPDX-License-Identifier: Apache-2.0

public import EvalProtocol
public import WireJSON

/// Where a rollout stands, as its gateway tells it.
public struct RolloutStatus: Sendable, Hashable {
    public var rolloutID: String
    /// `nil` until a line with a status has come in.
    public var status: Status?
    /// The extras of the line that carried the status.
    public var extras: JSONObject?
    /// The number of the attempt that the status belongs to.
    public var attemptNumber: Int?
    /// The attempt that the status belongs to, when the gateway names it.
    public var attempt: AttemptID?
    /// Whether the attempt asked for is the rollout's newest.
    public var current: Bool?
    /// Whether the answer told of attempts: then the gateway waits when it is asked to.
    public var knowsAttempts: Bool

    public init(
        rolloutID: String, status: Status? = nil, extras: JSONObject? = nil, attemptNumber: Int? = nil,
        attempt: AttemptID? = nil, current: Bool? = nil, knowsAttempts: Bool = false
    ) {
        self.rolloutID = rolloutID
        self.status = status
        self.extras = extras
        self.attemptNumber = attemptNumber
        self.attempt = attempt
        self.current = current
        self.knowsAttempts = knowsAttempts
    }
}
