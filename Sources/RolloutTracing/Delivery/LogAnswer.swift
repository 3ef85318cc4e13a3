// Part of Rollcall. SPDX-License-Identifier: Apache-2.0

public import EvalProtocol

/// What a gateway answered to an accepted line, about the line's rollout.
public struct LogAnswer: Sendable, Hashable {
    /// Whether the answer had an `attempt` field at all, as that of a Rollcall gateway has.
    public var knowsAttempts: Bool
    /// The number of the rollout's attempt that the line belongs to.
    public var attemptNumber: Int?
    /// Whether that attempt is the rollout's newest.
    public var current: Bool?
    /// The terminal status with which the attempt has ended, whoever sent it.
    public var final: StatusCode?

    public init(
        knowsAttempts: Bool = false, attemptNumber: Int? = nil, current: Bool? = nil, final: StatusCode? = nil
    ) {
        self.knowsAttempts = knowsAttempts
        self.attemptNumber = attemptNumber
        self.current = current
        self.final = final
    }
}

/// An accepted line's answer with the line's rollout, as ``LogDelivery/onAnswer(_:)`` hands it out.
public struct DeliveredLine: Sendable, Hashable {
    /// The rollout of the line.
    public var rolloutID: String
    /// The attempt that the line named.
    public var attempt: AttemptID?
    /// The code of the status that the line carried.
    public var status: StatusCode?
    /// The gateway that answered.
    public var destination: LogDestination
    /// What it said.
    public var answer: LogAnswer
}

/// How ``LogDelivery/deliver(_:for:message:extras:within:)`` ended.
public enum DeliveryResult: Sendable, Hashable {
    /// The gateway has the status.
    case acknowledged(LogAnswer)
    /// The gateway answered, and will not take it: a wrong key (401, 403), no such route, or a bad line.
    case refused(code: Int, reason: String)
    /// No answer came in time, or only answers such as 503; `reason` is the last thing that was seen.
    case unreachable(reason: String)
}
