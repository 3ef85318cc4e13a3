// Part of Rollcall. SPDX-License-Identifier: Apache-2.0

import EvalProtocol
import RolloutEnvironment
import RolloutTesting
import TestSupport
import Testing
import WireJSON

@Suite("RolloutEnvironment: the loop with tools") struct ToolLoopTests {
    /// Says what it is given.
    struct Echo: Tool {
        struct Arguments: ToolArguments { var text: String }
        var name = "echo"
        let description = "Says what it is given."
        func call(_ arguments: Arguments) async throws -> ToolResult { ToolResult(arguments.text) }
    }

    typealias Step = @Sendable (inout ToolStep) async throws -> Void

    /// Runs the loop in memory; what came of it, and what was reported.
    private static func run(
        _ model: ScriptedModel, tools: [any Tool] = [Echo()], maximumTurns: Int = 16,
        options: CompletionOptions = CompletionOptions(), parameters: JSONObject = [:], isStreamed: Bool = false,
        onStep: Step? = nil
    ) async -> (run: ToolRun?, recording: RolloutRecording) {
        let kept = Kept<ToolRun>()
        let environment = RolloutEnvironment { rollout in
            let run = try await rollout.model.run(
                rollout.messages, tools: tools, maximumTurns: maximumTurns, options: options, onStep: onStep,
                onChunk: isStreamed ? { @Sendable _ in } : nil)
            kept.value = run
            return .finished(reason: run.reason)
        }
        let recording = await environment.test(
            [.user("go")], model: model, parameters: CompletionParameters(model: "m", additional: parameters))
        return (kept.value, recording)
    }

    private static func echo(_ texts: String...) -> ScriptedAnswer {
        .toolCalls(texts.map { (name: "echo", arguments: ["text": .string($0)]) })
    }

    private static func choices(_ recording: RolloutRecording) -> [JSONValue?] {
        recording.calls.map { $0.body["tool_choice"] }
    }

    static let named: JSONValue = ["type": "function", "function": ["name": "echo"]]

    // MARK: The choice of tools

    @Test(
        "what forces the model to call a tool does so until it has called one",
        arguments: [
            (.auto, "auto", "auto"), (.never, "none", "none"), (.required, "required", "auto"),
            (.tool("echo"), ToolLoopTests.named, "auto"),
        ] as [(ToolChoice, JSONValue, JSONValue)])
    func choice(_ choice: ToolChoice, first: JSONValue, then: JSONValue) async {
        let (run, recording) = await Self.run(
            ScriptedModel([Self.echo("a"), Self.echo("b"), "done"]), options: CompletionOptions(toolChoice: choice))
        #expect(Self.choices(recording) == [first, then, then])
        #expect(run?.reason == .stop)
    }

    @Test(
        "whoever forces it",
        arguments: [
            ("required", "auto"), (ToolLoopTests.named, "auto"), ("any", "auto"), ("auto", "auto"), ("none", "none"),
            (
                ["type": "allowed_tools", "allowed_tools": ["mode": "auto", "tools": []]],
                ["type": "allowed_tools", "allowed_tools": ["mode": "auto", "tools": []]]
            ), (["type": "allowed_tools", "allowed_tools": ["mode": "required", "tools": []]], "auto"),
        ] as [(JSONValue, JSONValue)])
    func givenChoice(_ given: JSONValue, then: JSONValue) async {
        let parameters = JSONObject([(JSONString("tool_choice"), given)])
        let answers: [ScriptedAnswer] = [Self.echo("a"), "done"]
        let ways: [(CompletionOptions, JSONObject)] = [
            (CompletionOptions(), parameters), (CompletionOptions(), ["extra_body": .object(parameters)]),
            (CompletionOptions(additional: parameters), [:]),
        ]
        for (options, sampled) in ways {
            let (_, recording) = await Self.run(ScriptedModel(answers), options: options, parameters: sampled)
            #expect(Self.choices(recording) == [given, then])
        }
    }

    @Test("a model that does not heed it stays forced, and a step may force it again, once") func forcedAgain() async {
        let (run, recording) = await Self.run(
            ScriptedModel(["no", Self.echo("a"), "x", "y", "z"]), options: CompletionOptions(toolChoice: .required)
        ) { step in
            if step.turn < 4 { step.add(.user("go on")) }
            if step.turn == 2 { step.nextToolChoice = .tool("echo") }
        }
        #expect(Self.choices(recording) == ["required", "required", Self.named, "auto"])
        #expect(run?.turns == 4)
    }

    @Test("a tool to be called that there is not is no rollout's fault, and no call is made") func unknownChoice() async
    {
        let model = ScriptedModel(["x"])
        let (_, recording) = await Self.run(model, options: CompletionOptions(toolChoice: .tool("ecko")))
        #expect(FailureReason(recording.status) == .toolInvalid)
        #expect(recording.status.message.contains("ecko"))
        #expect(model.calls.isEmpty)
    }

    // MARK: Streaming

    @Test("streamed, the same conversation, and each piece is there before the tools run") func streaming() async throws
    {
        struct Noting: Tool {
            struct Arguments: ToolArguments { var text: String }
            let name = "echo"
            let description = "Notes that it runs."
            let events: Mutexed<[String]>
            func call(_ arguments: Arguments) async throws -> ToolResult {
                events.append("tool \(arguments.text)")
                return ToolResult(arguments.text)
            }
        }
        var thinking = Message(role: "assistant", content: .text("I call it."))
        thinking.toolCalls = [ToolCall(id: "c1", name: "echo", arguments: #"{"text":"größer 🦊"}"#)]
        thinking.additional = ["reasoning_content": "because"]
        let script: [ScriptedAnswer] = [.message(thinking, finishReason: "tool_calls"), "The answer."]

        let events = Mutexed<[String]>([])
        let kept = Kept<ToolRun>()
        let environment = RolloutEnvironment { rollout in
            kept.value = try await rollout.model.run(
                rollout.messages, tools: [Noting(events: events)],
                options: CompletionOptions(additional: ["stream_options": ["include_usage": true]])
            ) { step in
                events.append("step \(step.turn)")
            } onChunk: { chunk in
                if !chunk.text.isEmpty { events.append(chunk.text) }
            }
            return .finished()
        }
        let recording = await environment.test([.user("go")], model: ScriptedModel(script))
        let run = try #require(kept.value)
        let texts = ["I ca", "ll i", "t.", "tool größer 🦊", "step 1", "The ", "answ", "er.", "step 2"]
        #expect(events.value == texts)
        #expect(recording.calls.allSatisfy { $0.isStreamed })
        #expect(run.usage.totalTokens == 30)

        let (plain, _) = await Self.run(ScriptedModel(script))
        #expect(run.messages == plain?.messages)
        #expect(run.messages.first { $0.role == "assistant" } == thinking)
        #expect(run.answer?.text == "The answer.")
    }

    @Test("a stream that breaks, and what the reader of the pieces throws, end the run") func brokenStream() async {
        let (_, broken) = await Self.run(ScriptedModel([Self.echo("a"), .broken(after: "The")]), isStreamed: true)
        #expect(FailureReason(broken.status) == .modelStreamBroken)

        struct Enough: RolloutFailure { var status: Status { .failedPrecondition("enough") } }
        let environment = RolloutEnvironment { rollout in
            _ = try await rollout.model.run(rollout.messages, tools: [], onChunk: { _ in throw Enough() })
            return .finished()
        }
        let recording = await environment.test([.user("go")], model: ScriptedModel(["long answer"]))
        #expect(recording.status.code == .failedPrecondition)
    }

    // MARK: Steps

    @Test("a step sees the answer, the results and the conversation") func step() async {
        let steps = Mutexed<[ToolStep]>([])
        let (run, _) = await Self.run(ScriptedModel([Self.echo("a", "b"), "done"])) { steps.append($0) }
        let seen = steps.value
        #expect(seen.map(\.turn) == [1, 2])
        #expect(seen[0].results.map(\.call.id) == ["call_0", "call_1"])
        #expect(seen[0].results.map(\.result.text) == ["a", "b"])
        #expect(seen[0].messages.map(\.role) == ["user", "assistant", "tool", "tool"])
        #expect(seen[1].results.isEmpty)
        #expect(seen[1].answer.text == "done")
        #expect(seen[1].messages == run?.messages)
    }

    @Test("a step adds messages, for which the run goes on after an answer without tools") func adding() async {
        let (run, recording) = await Self.run(ScriptedModel(["first", Self.echo("a"), "second", "third"])) { step in
            if step.turn <= 2 { step.add(.user("and \(step.turn)?")) }
        }
        #expect(run?.turns == 3)
        #expect(run?.reason == .stop)
        let texts = ["go", "first", "and 1?", "", "a", "and 2?", "second"]
        #expect(run?.messages.map(\.text) == texts)
        #expect(recording.lastMessages.map(\.text) == texts.dropLast())
    }

    @Test("a step and a tool may end the run, and what they say is kept") func ending() async {
        struct Submit: Tool {
            struct Arguments: ToolArguments {}
            let name = "submit"
            let description = "Ends it."
            func call(_ arguments: Arguments) async throws -> ToolResult { .final("taken") }
        }
        let (byStep, _) = await Self.run(ScriptedModel { _ in Self.echo("a") }) { step in
            if step.turn == 2 { step.end(.userStop) }
        }
        #expect(byStep?.reason == .userStop)
        #expect(byStep?.turns == 2)
        #expect(byStep?.messages.last?.role == "tool")
        let (byTool, _) = await Self.run(ScriptedModel([.toolCalls([("submit", [:])])]), tools: [Submit()]) { step in
            step.add(.user("well done"))
        }
        #expect(byTool?.reason == .controlPlaneSignal)
        #expect(byTool?.messages.map(\.text) == ["go", "", "taken", "well done"])
        struct Unwell: RolloutFailure { var status: Status { .dataLoss("unwell") } }
        let (_, thrown) = await Self.run(ScriptedModel(["x"])) { _ in throw Unwell() }
        #expect(thrown.status.code == .dataLoss)
    }

    @Test("the last turn's tools still run; then the run ends with max_steps") func lastTurn() async {
        let (run, recording) = await Self.run(ScriptedModel { _ in Self.echo("a") }, maximumTurns: 2)
        #expect(run?.reason == .maxSteps)
        #expect(run?.messages.map(\.role) == ["user", "assistant", "tool", "assistant", "tool"])
        #expect(recording.status.terminationReason == .maxSteps)
        let (asked, _) = await Self.run(ScriptedModel(["x"]), maximumTurns: 1) { $0.add(.user("more?")) }
        #expect(asked?.reason == .maxSteps)
        let (none, unasked) = await Self.run(ScriptedModel([]), maximumTurns: 0)
        #expect(none?.reason == .maxSteps)
        #expect(none?.answer == nil)
        #expect(unasked.calls.isEmpty)
        let cut = ScriptedModel([.text("long", finishReason: "length")])
        #expect(await Self.run(cut).run?.reason == .length)
    }
}
