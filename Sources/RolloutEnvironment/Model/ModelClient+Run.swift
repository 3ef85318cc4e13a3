// Part of Rollcall. SPDX-License-Identifier: Apache-2.0

public import EvalProtocol
import WireJSON

extension ModelClient {
    /// Lets the model work with tools until it answers without calling one.
    ///
    ///     let run = try await rollout.model.run(rollout.messages, tools: [Render()], maximumTurns: 8) { step in
    ///         if step.results.isEmpty, !step.answer.text.contains("</svg>") {
    ///             step.add(.user("There is no picture in that. Draw it."))
    ///         }
    ///     }
    ///     return .finished(reason: run.reason)
    ///
    /// The calls of one answer run at once, up to 16 of them, and their results go back in the answer's order; where one
    /// of the tools is ``Tool/isSequential``, they run one after another. Arguments that do not fit a tool, names that no
    /// tool has, and errors that tools throw are told to the model, which may try again; a ``RolloutFailure`` and
    /// cancellation end the run.
    ///
    /// `options.toolChoice`, or `tool_choice` of the rollout's parameters, may force the model to call a tool. It does so
    /// until the model has called one; then the model is free, or it would call tools for ever. To force it again, set
    /// ``ToolStep/nextToolChoice``.
    ///
    /// - Parameters:
    ///   - messages: The conversation so far.
    ///   - tools: What the model may call.
    ///   - maximumTurns: The most model calls; the run ends with ``ToolRun/reason`` `max_steps` when the last one's tools
    ///     have run and it would go on.
    ///   - options: As for ``complete(_:tools:options:)``.
    ///   - onStep: Called after each model call whose tools have run. It may add messages to the conversation and end the
    ///     run; what it throws ends the run, too.
    ///   - onChunk: With it the answers are streamed, and each piece is handed to it before the next one is read.
    /// - Throws: ``ToolError`` for unfit tools, before any call; else as ``complete(_:tools:options:)``.
    public func run(
        _ messages: [Message], tools: [any Tool], maximumTurns: Int = 16,
        options: CompletionOptions = CompletionOptions(),
        onStep: (@Sendable (inout ToolStep) async throws -> Void)? = nil,
        onChunk: (@Sendable (CompletionChunk) async throws -> Void)? = nil
    ) async throws -> ToolRun {
        let set = try ToolSet(tools, secrets: secrets, span: span)
        var run = ToolRun(messages: messages)
        var options = options
        var choice: ToolChoice?
        while run.turns < maximumTurns {
            let completion = try await ask(run.messages, set, options.choosing(choice), onChunk)
            run.add(completion)
            let calls = completion.message.toolCalls ?? []
            let results = try await set.results(of: calls)
            run.messages += zip(calls, results).map { Message.tool($1.text, toolCallID: $0.id) }
            if !calls.isEmpty, isForced(options) { options = options.choosing(.auto) }

            var step = ToolStep(
                turn: run.turns, completion: completion, results: zip(calls, results).map { ($0, $1) },
                messages: run.messages)
            try await onStep?(&step)
            run.messages = step.messages
            choice = step.nextToolChoice
            if let reason = step.outcome {
                run.reason = reason
                return run
            }
        }
        run.reason = .maxSteps
        return run
    }

    private func ask(
        _ messages: [Message], _ tools: ToolSet, _ options: CompletionOptions,
        _ onChunk: (@Sendable (CompletionChunk) async throws -> Void)?
    ) async throws -> Completion {
        if case .tool(let name) = options.toolChoice, !tools.has(name) {
            throw ToolError("The model is to call the tool \(name), which is none of those of the run.")
        }
        guard let onChunk else { return try await complete(messages, tools: tools.definitions, options: options) }
        let stream = try await stream(messages, tools: tools.definitions, options: options)
        return try await stream.collect(onChunk)
    }

    /// Whether the model has to call a tool, by the options or by the rollout's parameters.
    private func isForced(_ options: CompletionOptions) -> Bool {
        switch ModelRequest.toolChoice(parameters, options) {
        case nil, .null?: false
        case .string(let word)?: word.text != "auto" && word.text != "none"
        // {"type": "allowed_tools", "allowed_tools": {"mode": …, "tools": […]}} narrows the choice and may leave it free.
        case let object?: object["allowed_tools"]?["mode"]?.string != "auto"
        }
    }
}

extension CompletionOptions {
    /// With another choice of tools, if there is one.
    fileprivate func choosing(_ choice: ToolChoice?) -> CompletionOptions {
        guard let choice else { return self }
        var options = self
        options.toolChoice = choice
        options.additional["tool_choice"] = nil
        return options
    }
}
