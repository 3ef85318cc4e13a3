// Part of Rollcall. SPDX-License-Identifier: Apache-2.0

import EvalProtocol
import RolloutProcessor
import Synchronization
import UnixSignals
import WireJSON

/// One run of `rollcall rollout`: rollouts on one side, a person or a program that reads on the other.
final class RolloutSession: Sendable {
    private struct Display {
        var monitor: RolloutMonitor
        var line: ProgressLine
        var codes: [StatusCode: Int] = [:]
        var turns = 0
        var tokens = 0
    }

    private let configuration: RolloutProcessor.Configuration
    private let tasks: RolloutTasks<RolloutRows>
    private let concurrency: Int
    private let printsJSON: Bool
    private let begun = ContinuousClock.now
    private let display: Mutex<Display>

    /// - Parameter total: Rollouts to come, where that is known.
    init(
        configuration: RolloutProcessor.Configuration, tasks: RolloutTasks<RolloutRows>, total: Int?, concurrency: Int,
        printsJSON: Bool
    ) {
        self.tasks = tasks
        self.concurrency = concurrency
        self.printsJSON = printsJSON
        let display = Display(
            monitor: RolloutMonitor(now: .now),
            line: ProgressLine(total: total, isTerminal: StandardStreams.noteIsTerminal))
        self.display = Mutex(display)
        self.configuration = configuration
    }

    /// - Returns: The exit code: 0 if every rollout finished, 1 if not, 130 after an interruption.
    func run() async throws -> Int32 {
        var configuration = configuration
        configuration.onProgress = { [self] progress in
            display.withLock { $0.monitor.note(progress, at: .now) }
        }
        let isInterrupted = try await withThrowingTaskGroup(of: Bool.self) { group in
            let configuration = configuration
            group.addTask {
                try await RolloutProcessor.with(configuration) { try await self.work(with: $0) }
                return false
            }
            group.addTask {
                for await _ in await UnixSignalsSequence(trapping: .sigint, .sigterm) { return true }
                return false
            }
            defer { group.cancelAll() }
            return try await group.next() ?? false
        }
        display.withLock { $0.line.clear() }
        if isInterrupted {
            StandardStreams.note("Interrupted: the environment was told to stop the rollouts in flight.\n")
            return 130
        }
        StandardStreams.note(summary() + "\n")
        return display.withLock { $0.monitor.failed } == 0 ? 0 : 1
    }

    private func work(with processor: RolloutProcessor) async throws {
        let watching = Task { await watch(processor) }
        defer { watching.cancel() }
        for try await row in processor.process(tasks, concurrency: concurrency) { show(row) }
    }

    /// Keeps the progress line fresh, and says what has been seen when nothing moves.
    private func watch(_ processor: RolloutProcessor) async {
        while (try? await Task.sleep(for: .milliseconds(200))) != nil {
            let suspect = display.withLock { display in
                display.line.show(display.monitor)
                return display.monitor.suspect(at: .now)
            }
            guard let suspect else { continue }
            let diagnosis = await processor.diagnose(
                rolloutID: suspect.rolloutID, triggered: suspect.triggered, accepted: suspect.accepted)
            if Task.isCancelled { return }
            display.withLock { display in
                display.line.clear()
                StandardStreams.note(
                    "Nothing has happened for a while. \(TerminalText.line("\(diagnosis)", limit: 1_000))\n")
            }
        }
    }

    private func show(_ row: EvaluationRow) {
        display.withLock { display in
            display.monitor.note(row, at: .now)
            display.codes[row.rolloutStatus.code, default: 0] += 1
            display.turns += row.messages.count { $0.role == "assistant" }
            display.tokens += row.executionMetadata.usage?.totalTokens ?? 0
            display.line.clear()
            if printsJSON {
                StandardStreams.print(row.serialized())
            } else {
                StandardStreams.print(TrajectoryText.describe(row) + "\n")
            }
            display.line.show(display.monitor)
        }
    }

    /// `20 rollouts in 12 s: 19 FINISHED, 1 UNAVAILABLE · 31 turns · 4512 tokens`
    private func summary() -> String {
        display.withLock { display in
            let count = display.monitor.ended
            let codes = display.codes.sorted { $0.value > $1.value }.map { "\($0.value) \($0.key.name)" }
            var text =
                "\(count) \(count == 1 ? "rollout" : "rollouts") in "
                + DurationText.seconds((ContinuousClock.now - begun).inSeconds)
            if !codes.isEmpty { text += ": " + codes.joined(separator: ", ") }
            text += " · \(display.turns) \(display.turns == 1 ? "turn" : "turns")"
            if display.tokens > 0 { text += " · \(display.tokens) tokens" }
            return text
        }
    }
}
