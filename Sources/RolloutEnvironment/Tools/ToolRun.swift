// Part of Rollcall. SPDX-License-Identifier: Apache-2.0

public import EvalProtocol

/// What became of a run with tools.
public struct ToolRun: Sendable {
    /// The whole conversation, the last answer included: what the gateway recorded.
    public internal(set) var messages: [Message]
    /// Why it ended: `stop` or `length` when the model called no tool, `max_steps` when its turns were used up, and
    /// `control_plane_signal`, or another one, when a tool or a step ended it.
    public internal(set) var reason: TerminationReason = .maxSteps
    /// The number of model calls.
    public internal(set) var turns = 0
    /// The tokens of all calls, as far as the server told them.
    public internal(set) var usage = Usage(promptTokens: 0, completionTokens: 0)

    /// The model's last message; `nil` when there was no turn.
    public var answer: Message? { turns == 0 ? nil : messages.last { $0.role == "assistant" } }

    init(messages: [Message]) { self.messages = messages }

    mutating func add(_ completion: Completion) {
        messages.append(completion.message)
        turns += 1
        if let used = completion.usage { usage = usage + used }
    }
}
