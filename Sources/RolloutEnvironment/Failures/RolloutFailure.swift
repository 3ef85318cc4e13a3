// Part of Rollcall. SPDX-License-Identifier: Apache-2.0

public import EvalProtocol

/// An error that says itself how the rollout ends when the agent throws it.
///
///     struct WorldIsFull: RolloutFailure {
///         var status: Status { .resourceExhausted("No room for another world.") }
///     }
public protocol RolloutFailure: Error {
    /// The terminal status; a running one is reported as INTERNAL.
    var status: Status { get }
}
