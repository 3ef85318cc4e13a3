// Part of Rollcall. SPDX-License-Identifier: Apache-2.0

import EvalProtocol
import Foundation
import RolloutEnvironment
import Testing

@Suite("Processes: how they end") struct ProcessEndingTests {
    struct Case: Sendable, CustomTestStringConvertible {
        var cause: ProcessEnding.Cause
        var memory: Int?
        var cpu: Int?
        var cpuTime: Duration?
        var lines: [String] = []
        var code: StatusCode
        var reason: FailureReason?
        var says: String

        var testDescription: String { "\(cause) \(says)" }
    }

    static let cases: [Case] = [
        Case(cause: .exited(0), code: .finished, says: "finished"),
        Case(cause: .exited(0), lines: ["MemoryError"], code: .finished, says: "finished"),
        Case(cause: .exited(3), code: .internal, reason: .processExited, says: "exit code 3."),
        Case(
            cause: .exited(1), lines: ["Traceback", "ValueError: no"], code: .internal, reason: .processExited,
            says: "lines:\nTraceback\nValueError: no"),
        Case(cause: .exited(127), code: .internal, reason: .processExited, says: "was not found"),
        Case(cause: .exited(126), code: .internal, reason: .processExited, says: "could not be executed"),
        Case(cause: .exited(137), code: .internal, reason: .processExited, says: "killed by SIGKILL"),
        Case(cause: .signaled(SIGSEGV), code: .aborted, reason: .processCrashed, says: "crashed: SIGSEGV"),
        Case(cause: .signaled(SIGABRT), code: .aborted, reason: .processCrashed, says: "crashed: SIGABRT"),
        Case(cause: .signaled(SIGTERM), code: .unavailable, reason: .processKilled, says: "killed by SIGTERM."),
        Case(cause: .signaled(SIGKILL), code: .unavailable, reason: .processKilled, says: "memory runs out"),
        Case(cause: .signaled(40), code: .unavailable, reason: .processKilled, says: "signal 40"),
        Case(cause: .signaled(SIGXCPU), cpu: 7, code: .resourceExhausted, reason: .processCPULimit, says: "its 7 s"),
        Case(cause: .signaled(SIGXCPU), code: .unavailable, reason: .processKilled, says: "SIGXCPU"),
        Case(
            cause: .signaled(SIGKILL), cpu: 2, cpuTime: .seconds(3), code: .resourceExhausted,
            reason: .processCPULimit, says: "its 2 s"),
        Case(
            cause: .signaled(SIGKILL), cpu: 2, cpuTime: .seconds(1), code: .unavailable, reason: .processKilled,
            says: "SIGKILL"),
        Case(
            cause: .exited(1), memory: 64, lines: ["MemoryError"], code: .resourceExhausted,
            reason: .processMemoryLimit, says: "64 MB"),
        Case(
            cause: .signaled(SIGABRT), memory: 64, lines: ["what():  std::bad_alloc"], code: .resourceExhausted,
            reason: .processMemoryLimit, says: "64 MB"),
        Case(cause: .exited(1), lines: ["MemoryError"], code: .internal, reason: .processExited, says: "code 1"),
    ]

    @Test("each way to end has its status", arguments: cases) func ending(_ test: Case) {
        var ending = ProcessEnding(test.cause)
        ending.memoryMegabytes = test.memory
        ending.cpuSeconds = test.cpu
        ending.cpuTime = test.cpuTime
        ending.lastLines = test.lines
        let status = ending.status
        #expect(status.code == test.code)
        #expect(FailureReason(status) == test.reason)
        #expect(status.message.contains(test.says), "\(status.message)")
    }

    @Test("of many last lines the newest are shown") func tail() {
        var ending = ProcessEnding(.exited(1))
        ending.lastLines = (1...100).map { "line \($0) " + String(repeating: "x", count: 400) } + ["the end"]
        let message = ending.status.message
        #expect(message.hasSuffix("\nthe end"))
        #expect(message.contains("line 100"))
        #expect(message.count < 2_000)
    }
}
