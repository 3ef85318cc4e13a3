// Part of Rollcall. SPDX-License-Identifier: Apache-2.0

import EvalProtocol
import RolloutProcessor
import Testing

@Suite("RolloutProcessor: what people read")
struct TextTests {
    @Test(
        "no text of others can steer a terminal",
        arguments: [
            ("a\u{1B}[2Jb", "a\\u{1b}[2Jb"), ("\u{9B}31m", "\\u{9b}31m"), ("x\ry", "x\\u{d}y"), ("a\tb\nc", "a\tb\nc"),
            ("\u{202E}evil", "\\u{202e}evil"), ("grüß 日本 👍", "grüß 日本 👍"), ("\u{7F}\u{0}", "\\u{7f}\\u{0}"),
            ("a\r\nb", "a\\u{d}\nb"),
        ])
    func safe(_ text: String, _ shown: String) {
        #expect(TerminalText.safe(text) == shown)
    }

    @Test("a row is told with its status and who said what")
    func trajectory() {
        var row = EvaluationRow(messages: [
            .user("line one\nline two"),
            Message(role: "assistant", toolCalls: [ToolCall(id: "c", name: "add", arguments: "{\"a\": 1}")]),
            .tool("\u{1B}[31m3", toolCallID: "c"), .assistant("3"),
        ])
        row.rolloutStatus = .finished()
        row.inputMetadata.rowID = "r1"
        row.executionMetadata.rolloutDurationSeconds = 1.24
        let text = TrajectoryText.describe(row)
        #expect(text.hasPrefix("FINISHED  row r1 · 2 turns · 1.2 s: Rollout finished\n"))
        #expect(text.contains("  user        line one\n              line two\n"))
        #expect(text.contains("  calls       add({\"a\": 1})\n"))
        #expect(text.contains("  tool result \\u{1b}[31m3"))
        #expect(!text.contains("\u{1B}"))
    }

    @Test("a rollout that stands still is told of after ten seconds, and seldom after that")
    func monitor() {
        let start = ContinuousClock.now
        var monitor = RolloutMonitor(now: start)
        func note(_ stage: RolloutProgress.Stage, _ id: String, _ seconds: Int) {
            monitor.note(RolloutProgress(rowID: "w", rolloutID: id, stage: stage), at: start + .seconds(seconds))
        }
        note(.begun, "a", 0)
        note(.triggered(attempt: 1), "a", 0)
        note(.begun, "b", 1)
        note(.accepted, "a", 2)
        #expect(monitor.suspect(at: start + .seconds(11)) == nil)
        let suspect = monitor.suspect(at: start + .seconds(12))
        #expect(suspect?.rolloutID == "a")
        #expect(suspect?.accepted == true)
        #expect(monitor.suspect(at: start + .seconds(13)) == nil)
        #expect(monitor.suspect(at: start + .seconds(22)) != nil)
        note(.replaced(rolloutID: "a"), "c", 30)
        #expect(monitor.suspect(at: start + .seconds(40))?.rolloutID == "c")
        note(.ended(.finished()), "c", 41)
        note(.ended(.finished()), "b", 41)
        #expect(monitor.inFlight == 0)
        #expect(monitor.suspect(at: start + .seconds(900)) == nil)
    }

    @Test("a diagnosis names the variable to check")
    func diagnosis() {
        func advice(
            accepted: Bool = true, calls: RolloutDiagnosis.Calls? = .init(), logs: Int? = 0, status: Status? = nil,
            failure: String? = nil
        ) -> String {
            RolloutDiagnosis(
                rolloutID: "r", environmentURL: "http://env", gatewayURL: "http://gw", triggered: true,
                accepted: accepted, calls: calls, logs: logs, status: status, gatewayFailure: failure
            ).advice
        }
        #expect(advice(accepted: false).contains("--environment"))
        #expect(advice().contains("FW_TRACING_GATEWAY_BASE_URL=http://gw"))
        #expect(advice(calls: .init(started: 1, recorded: 1)).contains("FW_TRACING_GATEWAY_BASE_URL=http://gw"))
        #expect(advice(logs: 2, status: .running).contains("model_base_url"))
        #expect(advice(calls: .init(started: 2, failed: 2), logs: 1).contains("--upstream"))
        #expect(advice(calls: .init(started: 2, recorded: 1), logs: 1).contains("model call is running"))
        #expect(advice(calls: .init(started: 1, recorded: 1), logs: 1).contains("http://gw/v1/rollouts/r"))
        #expect(advice(failure: "refused").contains("EP_MODEL_BASE_URL"))
    }
}
