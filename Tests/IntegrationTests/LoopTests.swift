// Part of Rollcall. SPDX-License-Identifier: Apache-2.0

import EvalProtocol
import RolloutEnvironment
import RolloutProcessor
import Synchronization
import TestSupport
import Testing
import WireJSON

@Suite("Integration: the loop")
struct LoopTests {
    @Test("streamed answers over several turns come back as one trajectory")
    func streamedTurns() async throws {
        try await Loop.with(model: ModelAnswers.echo) { rollout in
            var messages = rollout.messages
            for turn in 1...3 {
                if turn > 1 { messages.append(.user("turn \(turn)")) }
                messages.append(try await rollout.model.stream(messages).collect().message)
            }
            return .finished()
        } run: { loop in
            let row = try await loop.process("turn 1")
            #expect(row.rolloutStatus.code == .finished, "\(row.rolloutStatus)")
            #expect(
                row.messages.map(\.text) == [
                    "turn 1", "echo: turn 1", "turn 2", "echo: turn 2", "turn 3", "echo: turn 3",
                ])
        }
    }

    @Test("tools run, and their calls and results are in the trajectory")
    func tools() async throws {
        struct Multiply: Tool {
            struct Arguments: ToolArguments {
                var a: Double
                var b: Double
            }
            let name = "multiply"
            let description = "Multiplies two numbers."
            func call(_ arguments: Arguments) async throws -> ToolResult { "\(Int(arguments.a * arguments.b))" }
        }
        try await Loop.with(model: ModelAnswers.multiplying) { rollout in
            _ = try await rollout.model.run(rollout.messages, tools: [Multiply()])
            return .finished()
        } run: { loop in
            let row = try await loop.process("6 times 7?")
            #expect(row.rolloutStatus.code == .finished, "\(row.rolloutStatus)")
            #expect(row.messages.map(\.role) == ["user", "assistant", "tool", "assistant"])
            #expect(row.messages[1].toolCalls?.first?.name == "multiply")
            #expect(row.messages.last?.text == "It is 42.")
            #expect(row.tools?.count == 1)
        }
    }

    @Test("a failed rollout keeps its code and its trajectory so far")
    func failure() async throws {
        struct Broken: Error, CustomStringConvertible {
            let description = "the agent broke"
        }
        try await Loop.with(model: ModelAnswers.echo) { rollout in
            _ = try await rollout.model.complete(rollout.messages)
            throw Broken()
        } run: { loop in
            let row = try await loop.process("hello")
            #expect(row.rolloutStatus.code == .internal)
            #expect(row.rolloutStatus.message.contains("the agent broke"))
            #expect(row.messages.map(\.text) == ["hello", "echo: hello"])
        }
    }

    @Test("a refused model call names what the model said")
    func refused() async throws {
        try await Loop.with(model: ModelAnswers.refusing) { rollout in
            _ = try await rollout.model.complete(rollout.messages)
            return .finished()
        } run: { loop in
            let row = try await loop.process("hello")
            #expect(row.rolloutStatus.code == .invalidArgument)
            #expect(row.rolloutStatus.message.contains("no such model"))
        }
    }

    @Test("an unavailable rollout is tried again as a new attempt under the same id")
    func retried() async throws {
        let attempts = Mutex<[String: [AttemptID]]>([:])
        try await Loop.with(model: ModelAnswers.echo) { rollout in
            let number = attempts.withLock {
                $0[rollout.metadata.rolloutID, default: []].append(rollout.attempt)
                return $0[rollout.metadata.rolloutID]?.count ?? 0
            }
            if number == 1 { return Status(code: .unavailable, message: "not now") }
            _ = try await rollout.model.complete(rollout.messages)
            return .finished()
        } run: { loop in
            let row = try await loop.process("again")
            #expect(row.rolloutStatus.code == .finished, "\(row.rolloutStatus)")
            #expect(row.messages.map(\.text) == ["again", "echo: again"])
            let seen = attempts.withLock { $0 }
            #expect(seen.count == 1)
            #expect(Set(seen.values.first ?? []).count == 2)
        }
    }

    @Test("a rollout past its deadline is cancelled in its environment")
    func deadline() async throws {
        let cancelled = Mutex(false)
        try await Loop.with(model: ModelAnswers.echo) { rollout in
            do {
                try await Task.sleep(for: .seconds(60))
            } catch {
                cancelled.withLock { $0 = true }
                throw error
            }
            return .finished()
        } run: { loop in
            let row = try await loop.process("slow", timeout: .seconds(1))
            #expect(row.rolloutStatus.code == .deadlineExceeded)
            try await eventually("cancelled agent") { cancelled.withLock { $0 } }
        }
    }
}

extension Loop {
    /// One rollout of one user message.
    func process(_ text: String, timeout: Duration = .seconds(60)) async throws -> EvaluationRow {
        var configuration = RolloutProcessor.Configuration(environmentURL: environmentURL, gatewayURL: gatewayURL)
        configuration.timeout = timeout
        return try await RolloutProcessor.with(configuration) { processor in
            try await processor.process(
                EvaluationRow(messages: [.user(text)]), CompletionParameters(model: "scripted"))
        }
    }
}
