// Part of Rollcall. SPDX-License-Identifier: Apache-2.0

import EvalProtocol
import RolloutEnvironment
import RolloutTesting
import RolloutTracing
import Testing
import WireJSON

/// How an agent is tested without a network.
@Suite("RolloutTesting: an agent in memory") struct AgentTests {
    @Test("a scripted answer, the log, the statuses") func hello() async {
        let environment = RolloutEnvironment { rollout in
            let answer = try await rollout.model.complete(rollout.messages)
            rollout.logger.info("answered with \(answer.message.text.count) characters")
            return .finished()
        }
        let recording = await environment.test(
            [.user("What is the capital of France?")], model: ScriptedModel(["Paris"]))
        #expect(recording.status.code == .finished)
        #expect(recording.statuses.map(\.code) == [.running, .finished])
        #expect(recording.lines.map(\.message) == ["answered with 5 characters"])
        #expect(recording.calls.map(\.messages) == [[.user("What is the capital of France?")]])
    }

    struct Add: Tool {
        struct Arguments: ToolArguments { var a: Int; var b: Int }
        let name = "add"
        let description = "Adds two numbers."
        func call(_ arguments: Arguments) async throws -> ToolResult { "\(arguments.a + arguments.b)" }
    }

    @Test("a run with tools goes on until the model answers without one") func tools() async throws {
        let environment = RolloutEnvironment { rollout in
            let run = try await rollout.model.run(rollout.messages, tools: [Add()]) { step in
                if !step.results.isEmpty { rollout.checkpoint("turn \(step.turn)") }
            }
            return .finished(
                reason: run.reason, info: ["turns": .number(run.turns), "tokens": .number(run.usage.totalTokens)])
        }
        let model = ScriptedModel([
            .toolCalls([("add", ["a": 1, "b": 2]), ("add", ["a": "one"]), ("sub", [:])]), "3",
        ])
        let recording = await environment.test([.user("1 + 2?")], model: model)
        #expect(recording.status.terminationReason == .stop)
        #expect(recording.status.extraInfo == ["turns": 2, "tokens": 30])
        #expect(recording.statuses.map(\.code) == [.running, .running, .finished])
        #expect(model.calls[0].tools.first?["function"]?["name"] == "add")
        #expect(model.calls[0].tools.first?["function"]?["parameters"]?["required"] == ["a", "b"])
        let results = model.calls[1].messages.filter { $0.role == "tool" }
        #expect(results.map(\.toolCallID) == ["call_0", "call_1", "call_2"])
        #expect(results[0].text == "3")
        #expect(results[1].text.contains("a:") || results[1].text.contains("a "))
        #expect(results[2].text.contains("there is no tool sub"))
    }

    @Test("a run ends at its last turn") func maximumTurns() async {
        let environment = RolloutEnvironment { rollout in
            let run = try await rollout.model.run(rollout.messages, tools: [Add()], maximumTurns: 3)
            return .finished(reason: run.reason)
        }
        let model = ScriptedModel { _ in .toolCalls([("add", ["a": 1, "b": 2])]) }
        let recording = await environment.test([.user("go")], model: model)
        #expect(recording.status.terminationReason == .maxSteps)
        #expect(model.calls.count == 3)
    }

    struct Broken: Tool {
        struct Arguments: ToolArguments {}
        let name: String
        let description = "x"
        func call(_ arguments: Arguments) async throws -> ToolResult { throw CancellationError() }
    }

    @Test("unfit tools are refused before the first call") func unfitTools() async {
        for tools in [[Broken(name: "has space")], [Broken(name: "a"), Broken(name: "a")], [Broken(name: "")]] {
            let environment = RolloutEnvironment { rollout in
                _ = try await rollout.model.run(rollout.messages, tools: tools)
                return .finished()
            }
            let model = ScriptedModel(["x"])
            let recording = await environment.test([.user("go")], model: model)
            #expect(FailureReason(recording.status) == .toolInvalid)
            #expect(model.calls.isEmpty)
        }
    }

    @Test("a streamed answer comes in pieces and whole") func streaming() async {
        let environment = RolloutEnvironment { rollout in
            let stream = try await rollout.model.stream(rollout.messages)
            var text = ""
            for try await chunk in stream { text += chunk.text }
            #expect(text == "The quick brown fox, größer 🦊")
            #expect(stream.completion?.message.text == text)
            #expect(stream.completion?.choices.first?.finishReason == "stop")
            return .finished()
        }
        let recording = await environment.test([.user("go")], model: ScriptedModel(["The quick brown fox, größer 🦊"]))
        #expect(recording.status.code == .finished)
        #expect(recording.calls[0].isStreamed)
    }

    @Test("a stream that breaks is an error, not a short answer") func brokenStream() async {
        let environment = RolloutEnvironment { rollout in
            _ = try await rollout.model.stream(rollout.messages).collect()
            return .finished()
        }
        let recording = await environment.test([.user("go")], model: ScriptedModel([.broken(after: "The quick")]))
        #expect(FailureReason(recording.status) == .modelStreamBroken)
        #expect(recording.status.code == .unavailable)
        #expect(recording.calls.count == 1)
    }

    struct Verdict: ToolArguments { var isRight: Bool }

    @Test("an answer in an asked-for form") func structured() async {
        let environment = RolloutEnvironment { rollout in
            let verdict = try await rollout.model.complete(rollout.messages, as: Verdict.self)
            return .finished(info: ["right": .bool(verdict.answer.isRight)])
        }
        let good = await environment.test([.user("go")], model: ScriptedModel([.json(["isRight": true])]))
        #expect(good.status.extraInfo == ["right": true])
        #expect(good.calls[0].body["response_format"]?["json_schema"]?["schema"]?["required"] == ["isRight"])
        let bad = await environment.test(
            [.user("go")], model: ScriptedModel([.text("{\"isRi", finishReason: "length")]))
        #expect(FailureReason(bad.status) == .answerNotAsAsked)
        #expect(bad.status.message.contains("cut"))
    }

    @Test("what fails for a moment is repeated twice, other errors are not") func retries() async {
        let environment = RolloutEnvironment { rollout in
            _ = try await rollout.model.complete(rollout.messages)
            return .finished()
        }
        let recovers = ScriptedModel([.failure(httpStatus: 503), .failure(httpStatus: 429), "ok"])
        #expect(await environment.test([.user("go")], model: recovers).status.code == .finished)
        let gone = ScriptedModel { _ in .failure(httpStatus: 500) }
        #expect(await environment.test([.user("go")], model: gone).status.code == .unavailable)
        #expect(gone.calls.count == 3)
        let rejected = ScriptedModel { _ in .failure(httpStatus: 400, message: "too long") }
        let recording = await environment.test([.user("go")], model: rejected)
        #expect(recording.status.code == .invalidArgument)
        #expect(recording.status.message.contains("too long"))
        #expect(rejected.calls.count == 1)
    }

    @Test("the request obeys the contract's rules") func requestRules() async throws {
        let environment = RolloutEnvironment { rollout in
            _ = try await rollout.model.complete(rollout.messages)
            return .finished()
        }
        let request = try InitRequest(
            parsing: Array(
                #"""
                {"completion_params": {"model": "m", "temperature": 0.20, "base_url": "http://x", "top_p": null, "stream": true,
                  "extra_body": {"top_k": 7, "none": null}, "timeout": 3},
                 "messages": [{"role": "user", "content": [{"type": "text", "text": "hi"}], "name": null, "weight": 1,
                  "reasoning_content": null, "logprobs": [1], "control_plane_step": null},
                  {"role": "assistant", "content": "", "tool_calls": [{"id": "1", "type": "function", "function": {"name": "f", "arguments": "{}"}}]},
                  {"role": "user", "content": null}],
                 "tools": [{"type": "function", "function": {"name": "f", "parameters": {"z": 1, "a": 2}}}],
                 "model_base_url": "http://h/v1", "api_key": "key-12345678", "more": 1,
                 "metadata": {"invocation_id": "i", "experiment_id": "e", "rollout_id": "r", "run_id": "u", "row_id": "w"}}
                """#.utf8))
        let model = ScriptedModel(["ok"])
        let recording = await environment.test(request, model: model)
        #expect(recording.status.code == .finished)
        let call = try #require(model.calls.first)
        #expect(call.url == "http://h/v1/chat/completions")
        #expect(call.headers["authorization"] == "Bearer key-12345678")
        #expect(
            JSONValue.object(call.body).description
                == #"{"model":"m","messages":[{"role":"user","content":[{"type":"text","text":"hi"}]},"#
                + #"{"role":"assistant","content":"","tool_calls":[{"id":"1","type":"function","function":{"name":"f","arguments":"{}"}}]},"#
                + #"{"role":"user","content":""}],"temperature":0.20,"top_k":7,"#
                + #""tools":[{"type":"function","function":{"name":"f","parameters":{"z":1,"a":2}}}]}"#)
    }

    @Test("child tasks know the rollout, and its logger is the task's") func taskLocals() async {
        let environment = RolloutEnvironment { rollout in
            await withTaskGroup(of: Void.self) { group in
                for _ in 0..<3 {
                    group.addTask {
                        #expect(RolloutContext.current?.rolloutID == rollout.metadata.rolloutID)
                        Logger.current.info("from a child")
                    }
                }
            }
            return .finished()
        }
        let recording = await environment.test([], model: ScriptedModel([]))
        #expect(recording.lines.count == 3)
    }

    @Test("after its end a rollout's model and checkpoints are dead") func afterTheEnd() async {
        let kept = Kept<Rollout>()
        let environment = RolloutEnvironment { rollout in
            kept.value = rollout
            return .finished()
        }
        let recording = await environment.test([], model: ScriptedModel(["late"]))
        kept.value?.checkpoint("late")
        await #expect(throws: CancellationError.self) { try await kept.value?.model.complete([]) }
        #expect(recording.calls.isEmpty)
        #expect(recording.statuses.map(\.code) == [.running, .finished])
    }
}
