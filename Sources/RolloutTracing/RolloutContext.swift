// Part of Rollcall. SPDX-License-Identifier: Apache-2.0

public import EvalProtocol

/// What ties a log line to its rollout: the ids, the attempt, and the gateway that takes the rollout's lines.
public struct RolloutContext: Sendable, Hashable {
    /// The ids that the lines are tagged with.
    public var metadata: RolloutMetadata

    /// Which execution of the rollout this is; sent as `extras.rollcall.attempt`.
    public var attempt: AttemptID?

    /// Where the rollout's lines go; `nil` is the destination of the delivery's configuration.
    public var destination: LogDestination?

    /// Makes a context; without an `attempt`, the one of the metadata counts.
    public init(metadata: RolloutMetadata, attempt: AttemptID? = nil, destination: LogDestination? = nil) {
        self.metadata = metadata
        self.attempt = attempt ?? metadata.attempt
        self.destination = destination
    }

    /// The rollout that the current task works for; child tasks inherit it.
    ///
    /// Bind it with `RolloutContext.$current.withValue(context) { … }`.
    @TaskLocal public static var current: RolloutContext?

    /// The rollout's id.
    public var rolloutID: String { metadata.rolloutID }
}
