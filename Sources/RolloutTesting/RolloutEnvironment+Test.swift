// Part of Rollcall. SPDX-License-Identifier: Apache-2.0

public import EvalProtocol
public import RolloutEnvironment
public import WireJSON

extension RolloutEnvironment {
    /// Runs the agent once, in memory: no server, no gateway, no network.
    ///
    ///     let recording = await environment.test([.user("What is 2 + 2?")], model: ScriptedModel(["4"]))
    ///     #expect(recording.status.code == .finished)
    ///
    /// - Parameters:
    ///   - messages: The row's conversation.
    ///   - model: What answers the agent's model calls.
    ///   - tools: The row's function definitions.
    ///   - parameters: The caller's `completion_params`.
    ///   - metadata: The rollout's ids; by default made up.
    public func test(
        _ messages: [Message], model: ScriptedModel, tools: [JSONValue]? = nil,
        parameters: CompletionParameters = CompletionParameters(model: "scripted"), metadata: RolloutMetadata? = nil
    ) async -> RolloutRecording {
        let ids =
            metadata
            ?? RolloutMetadata(
                invocationID: Identifier.random(), experimentID: Identifier.random(), rolloutID: Identifier.random(),
                runID: Identifier.random(), rowID: "row-1")
        return await test(
            InitRequest(
                completionParameters: parameters, messages: messages, tools: tools,
                modelBaseURL: "http://scripted.invalid/v1", metadata: ids, apiKey: "scripted-key"),
            model: model)
    }

    /// Runs the agent once, in memory, on a whole request. Cancelling the calling task cancels the rollout.
    public func test(_ request: InitRequest, model: ScriptedModel) async -> RolloutRecording {
        let reporter = RecordingReporter()
        let clock = ContinuousClock()
        let start = clock.now
        let status = await runInMemory(request, transport: model, reporter: reporter)
        return RolloutRecording(
            status: status, statuses: reporter.statuses, lines: reporter.lines, calls: model.calls,
            duration: clock.now - start)
    }
}
