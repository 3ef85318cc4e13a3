// Part of Rollcall. SPDX-License-Identifier: Apache-2.0

public import EvalProtocol
import WireJSON

extension ModelClient {
    /// Lets the model work with tools until it answers without calling one.
    ///
    /// Arguments that do not fit a tool, and names that no tool has, are told to the model, which may try again. An
    /// error that a tool throws ends the run; what the model should hear about, a tool returns as
    /// ``ToolResult/failure(_:)``.
    ///
    /// - Parameters:
    ///   - messages: The conversation so far.
    ///   - tools: What the model may call.
    ///   - maximumTurns: The most model calls.
    ///   - options: As for ``complete(_:tools:options:)``.
    ///   - onStep: Called after each model call whose tools have run.
    /// - Throws: ``ToolError`` for unfit tools, before any call; else as ``complete(_:tools:options:)``.
    public func run(
        _ messages: [Message], tools: [any Tool], maximumTurns: Int = 16,
        options: CompletionOptions = CompletionOptions(),
        onStep: (@Sendable (ToolStep) async throws -> Void)? = nil
    ) async throws -> ToolRun {
        let set = try ToolSet(tools)
        var run = ToolRun(messages: messages)
        while run.turns < maximumTurns {
            let completion = try await complete(run.messages, tools: set.definitions, options: options)
            run.add(completion)
            let calls = completion.message.toolCalls ?? []
            guard !calls.isEmpty else {
                run.reason = completion.choices.first?.finishReason == "length" ? .length : .stop
                return run
            }
            var step = ToolStep(turn: run.turns, completion: completion)
            for call in calls {
                try Task.checkCancellation()
                let result = try await set.call(call)
                step.results.append((call, result))
                run.messages.append(.tool(result.text, toolCallID: call.id))
            }
            try await onStep?(step)
            if step.results.contains(where: { $0.result.endsRun }) {
                run.reason = .controlPlaneSignal
                return run
            }
        }
        run.reason = .maxSteps
        return run
    }
}

/// One model call of a run with tools, and what its tools gave.
public struct ToolStep: Sendable {
    /// 1 for the first.
    public let turn: Int
    public let completion: Completion
    public internal(set) var results: [(call: ToolCall, result: ToolResult)] = []
}

/// What became of a run with tools.
public struct ToolRun: Sendable {
    /// The whole conversation, the last answer included.
    public internal(set) var messages: [Message]
    /// Why it ended: `stop`, `length`, `max_steps`, or `control_plane_signal` when a tool ended it.
    public internal(set) var reason: TerminationReason = .maxSteps
    /// The number of model calls.
    public internal(set) var turns = 0
    /// The tokens of all calls, as far as the server told them.
    public internal(set) var usage = Usage(promptTokens: 0, completionTokens: 0)

    /// The model's last message; `nil` when there was no turn.
    public var answer: Message? { messages.last { $0.role == "assistant" } }

    init(messages: [Message]) { self.messages = messages }

    fileprivate mutating func add(_ completion: Completion) {
        messages.append(completion.message)
        turns += 1
        if let used = completion.usage { usage = usage + used }
    }
}
