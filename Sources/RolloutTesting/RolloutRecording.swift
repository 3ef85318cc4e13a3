// Part of Rollcall. SPDX-License-Identifier: Apache-2.0

public import EvalProtocol
public import Logging

/// What happened in a rollout that ran in memory.
public struct RolloutRecording: Sendable {
    /// A line that the rollout logged.
    public struct Line: Sendable {
        public let level: Logger.Level
        public let message: String
        public let metadata: Logger.Metadata
    }

    /// How it ended.
    public let status: Status
    /// Every status that was reported, in order: RUNNING, checkpoints, the terminal one.
    public let statuses: [Status]
    /// What `rollout.logger` was given.
    public let lines: [Line]
    /// The model calls.
    public let calls: [ScriptedModel.Call]
    /// How long it took.
    public let duration: Duration

    /// What was asked last: the whole conversation, for an agent that sends it again each turn.
    public var lastMessages: [Message] { calls.last?.messages ?? [] }
}
