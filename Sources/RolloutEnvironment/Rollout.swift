// Part of Rollcall. SPDX-License-Identifier: Apache-2.0

public import EvalProtocol
public import Logging
import RolloutTracing
public import WireJSON

/// What an agent gets: the row's messages, its model, and a log that is the rollout's own.
public struct Rollout: Sendable {
    /// The ids of the rollout, and what else the caller sent along.
    public let metadata: RolloutMetadata
    /// Which execution of the rollout this is.
    public let attempt: AttemptID
    /// The conversation to begin with; may be empty.
    public let messages: [Message]
    /// Function definitions of the row.
    public let tools: [JSONValue]?
    /// The whole request. Prints without its key.
    public let request: InitRequest
    /// The model, with the caller's parameters, through the rollout's gateway.
    public let model: ModelClient
    /// Sends lines to the gateway under this rollout, and to the process's own log. It is also the task's current
    /// logger, and a `RolloutLogHandler` of your own finds the rollout in every child task.
    public let logger: Logger

    /// When the rollout ends with DEADLINE_EXCEEDED and the task is cancelled, if it has not ended by then: the earlier
    /// of the caller's `deadline_seconds` and the environment's timeout. `nil`: it has no deadline.
    public internal(set) var deadline: ContinuousClock.Instant?

    let context: RolloutContext
    let reporter: any RolloutReporter
    let gate: ModelCallGate
    /// Where processes that the rollout starts are to be noted; `nil` when the environment keeps no journal.
    package let journal: RolloutJournal?

    /// Reports that the rollout is still running, and how far it is.
    ///
    /// - Parameters:
    ///   - message: For people.
    ///   - extras: For programs; a key `rollcall` is not taken.
    public func checkpoint(_ message: String, extras: JSONObject = [:]) {
        // After its end a rollout must not look as if it ran; a pass keeps the end waiting.
        guard let pass = try? gate.enter() else { return }
        reporter.report(.running, for: context, message: message, extras: extras.removing(["rollcall"]))
        pass.release()
    }
}
