// Part of Rollcall. SPDX-License-Identifier: Apache-2.0

import EvalProtocol
import RolloutEnvironment
import RolloutTesting
import TestSupport
import Testing
import WireJSON

@Suite("RolloutEnvironment: the tool calls of one answer") struct ToolCallTests {
    struct Number: ToolArguments { var n: Int }

    /// How many of its calls run, and how many ever ran at once.
    struct Load: Sendable {
        var running = 0
        var most = 0
        var begun: [Int] = []
    }

    /// Ends in another order than it began.
    struct Slow: Tool {
        var name = "slow"
        let description = "Takes its time."
        var isSequential = false
        let load: Mutexed<Load>
        /// Each call waits until so many run.
        var together = 1

        func call(_ arguments: Number) async throws -> ToolResult {
            load.change {
                $0.running += 1
                $0.most = max($0.most, $0.running)
                $0.begun.append(arguments.n)
            }
            try await eventually("\(together) calls at once") { load.value.most >= together }
            // The first ends last.
            if !isSequential, arguments.n == 0 {
                try await eventually("the end of the others") { load.value.running == 1 }
            }
            load.change { $0.running -= 1 }
            return "\(arguments.n)"
        }
    }

    private static func calls(_ count: Int, to name: String = "slow") -> [(name: String, arguments: JSONValue)] {
        (0..<count).map { (name: name, arguments: ["n": .number($0)]) }
    }

    private static func results(of recording: RolloutRecording) -> [Message] {
        recording.lastMessages.filter { $0.role == "tool" }
    }

    private static func test(
        _ tools: [any Tool], _ calls: [(name: String, arguments: JSONValue)]
    ) async -> RolloutRecording {
        let environment = RolloutEnvironment { rollout in
            _ = try await rollout.model.run(rollout.messages, tools: tools)
            return .finished()
        }
        return await environment.test([.user("go")], model: ScriptedModel([.toolCalls(calls), "done"]))
    }

    @Test("run at once, up to 16, and their results go back in the answer's order") func parallel() async {
        let load = Mutexed(Load())
        let recording = await Self.test([Slow(load: load, together: 16)], Self.calls(40))
        #expect(recording.status.code == .finished, "\(recording.status)")
        #expect(load.value.most == 16)
        let results = Self.results(of: recording)
        #expect(results.map(\.text) == (0..<40).map { "\($0)" })
        #expect(results.map(\.toolCallID) == (0..<40).map { "call_\($0)" })
    }

    @Test("run one after another, in the answer's order, if one of the tools wants that") func sequential() async {
        let load = Mutexed(Load())
        let tools: [any Tool] = [Slow(load: load), Slow(name: "alone", isSequential: true, load: load)]
        var calls = Self.calls(5)
        calls[3].name = "alone"
        let recording = await Self.test(tools, calls)
        #expect(load.value.most == 1)
        #expect(load.value.begun == [0, 1, 2, 3, 4])
        #expect(Self.results(of: recording).map(\.text) == ["0", "1", "2", "3", "4"])
    }

    struct Broken: Error, CustomStringConvertible {
        let description = "the disk is full, said scripted-key"
    }

    struct Unwell: RolloutFailure {
        var status: Status { .unavailable("the world is gone") }
    }

    /// Throws what it is told to.
    struct Throwing: Tool {
        let name = "throwing"
        let description = "Throws."
        let error: any Error
        func call(_ arguments: Number) async throws -> ToolResult { throw error }
    }

    @Test("what a tool throws is told to the model without keys, and logged") func thrown() async throws {
        let recording = await Self.test([Throwing(error: Broken())], [("throwing", ["n": 1])])
        #expect(recording.status.code == .finished)
        let told = try #require(Self.results(of: recording).first?.text)
        #expect(told == "Error: throwing failed: the disk is full, said [redacted]")
        let line = try #require(recording.lines.first { $0.level == .warning })
        #expect(line.message.contains("the disk is full"))
        #expect(!line.message.contains("scripted-key"))
    }

    @Test("a failure that says how the rollout ends, and cancellation, end it") func failures() async {
        let unwell = await Self.test([Throwing(error: Unwell())], [("throwing", ["n": 1])])
        #expect(unwell.status.code == .unavailable)
        #expect(unwell.calls.count == 1)
        let cancelled = await Self.test([Throwing(error: CancellationError())], [("throwing", ["n": 1])])
        #expect(cancelled.status.code == .cancelled)
    }

    /// Waits for its cancellation.
    struct Patient: Tool {
        let name = "patient"
        let description = "Waits."
        let cancelled: Mutexed<Int>
        let begun: Mutexed<Int>
        func call(_ arguments: Number) async throws -> ToolResult {
            begun.change { $0 += 1 }
            do {
                try await Task.sleep(for: .seconds(60))
            } catch {
                cancelled.change { $0 += 1 }
                throw error
            }
            return "too late"
        }
    }

    @Test("one that ends the rollout cancels the others, and so does the rollout's cancellation") func cancelled()
        async throws
    {
        let (cancelled, begun) = (Mutexed(0), Mutexed(0))
        let patient = Patient(cancelled: cancelled, begun: begun)
        struct Late: Tool {
            let name = "late"
            let description = "Fails when the others run."
            let begun: Mutexed<Int>
            func call(_ arguments: Number) async throws -> ToolResult {
                try await eventually("the others") { begun.value == 2 }
                throw Unwell()
            }
        }
        let recording = await Self.test(
            [patient, Late(begun: begun)], Self.calls(2, to: "patient") + Self.calls(1, to: "late"))
        #expect(recording.status.code == .unavailable)
        #expect(cancelled.value == 2)

        let task = Task { await Self.test([patient], Self.calls(3, to: "patient")) }
        try await eventually("running tools") { begun.value == 5 }
        task.cancel()
        #expect(await task.value.status.code == .cancelled)
        #expect(cancelled.value == 5)
    }
}
