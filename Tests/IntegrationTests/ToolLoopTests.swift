// Part of Rollcall. SPDX-License-Identifier: Apache-2.0

import AsyncHTTPClient
import EvalProtocol
import InMemoryTracing
import RolloutEnvironment
import RolloutTracing
import Synchronization
import TestSupport
import Testing
import Tracing
import WireJSON

@Suite("Integration: the loop with tools")
struct ToolLoopTests {
    struct Multiply: Tool {
        struct Arguments: ToolArguments {
            var a: Int
            var b: Int
        }
        let name = "multiply"
        let description = "Multiplies two whole numbers."
        func call(_ arguments: Arguments) async throws -> ToolResult {
            if arguments.a == 13 { throw Unlucky() }
            return "\(arguments.a * arguments.b)"
        }
    }

    struct Unlucky: Error, CustomStringConvertible {
        let description = "13 is not multiplied here"
    }

    @Test("the conversation that the agent has is the one that the gateway recorded", arguments: [false, true])
    func trajectory(isStreamed: Bool) async throws {
        let kept = Mutex<ToolRun?>(nil)
        try await Loop.with(model: ModelAnswers.calculating) { rollout in
            let run = try await rollout.model.run(
                rollout.messages, tools: [Multiply()], options: CompletionOptions(toolChoice: .required),
                onStep: { step in
                    if step.turn == 2 { step.add(.user("Are you sure?")) }
                }, onChunk: isStreamed ? { @Sendable _ in } : nil)
            kept.withLock { $0 = run }
            return .finished(reason: run.reason)
        } run: { loop in
            let row = try await loop.process("What is 6 times 7, 13 times 2, and 2 times 2?")
            #expect(row.rolloutStatus.code == .finished, "\(row.rolloutStatus)")
            let run = try #require(kept.withLock { $0 })
            #expect(run.turns == 3)
            #expect(run.messages == row.messages)
            #expect(
                row.messages.map(\.role) == [
                    "user", "assistant", "tool", "tool", "tool", "assistant", "user", "assistant",
                ])
            #expect(
                row.messages[2...4].map(\.text) == ["42", "Error: multiply failed: 13 is not multiplied here", "4"])
            #expect(row.messages[1].additional["reasoning_content"] == "I shall calculate.")
            let asked = loop.model.requests.compactMap(\.json)
            #expect(asked.map { $0["tool_choice"] } == ["required", "auto", "auto"])
            #expect(asked.map { $0["stream"]?.bool ?? false } == [isStreamed, isStreamed, isStreamed])

            // To the gateway it is one conversation, of which each call adds to the one before.
            let gateway = TracingClient(gatewayURL: loop.gatewayURL)
            let rolloutID = try #require(row.executionMetadata.rolloutID)
            let calls = try #require(try await gateway.conversation(of: rolloutID)).calls
            #expect(calls.map(\.depth) == [0, 1, 2])
            #expect(calls.map(\.branch) == [1, 1, 1])
        }
    }

    @Test("the trace of a processor's caller goes through environment and gateway to the model") func trace()
        async throws
    {
        // A client has the tracer that there was when it was made: this one, which others share, gets none.
        _ = HTTPClient.shared
        let tracer = InMemoryTracer()
        try await withTracer(tracer) {
            try await Loop.with(model: ModelAnswers.echo) { rollout in
                _ = try await rollout.model.complete(rollout.messages)
                _ = try await rollout.model.stream(rollout.messages).collect()
                return .finished()
            } run: { loop in
                let row = try await withSpan("evaluation") { _ in try await loop.process("hello") }
                #expect(row.rolloutStatus.code == .finished, "\(row.rolloutStatus)")
                let spans = tracer.finishedSpans
                let calls = spans.filter { $0.operationName == "chat scripted" }
                #expect(calls.count == 2)
                #expect(loop.model.requests.map { $0.header(InMemoryTracer.spanIDKey) } == calls.map(\.spanID))
                #expect(row.messages.map(\.text) == ["hello", "echo: hello"])
                for call in calls {
                    // Between the rollout and who asked for it stands the request, in the words of the HTTP client.
                    let above = Self.above(call, spans)
                    #expect(above.first == "rollout" && above.last == "evaluation", "\(above)")
                }
            }
        }
    }

    private static func above(_ span: FinishedInMemorySpan, _ spans: [FinishedInMemorySpan]) -> [String] {
        guard let parent = spans.first(where: { $0.spanID == span.parentSpanID }) else { return [] }
        return [parent.operationName] + above(parent, spans)
    }
}
