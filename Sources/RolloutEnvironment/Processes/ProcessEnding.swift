// Part of Rollcall. SPDX-License-Identifier: Apache-2.0

package import EvalProtocol
import Foundation

/// What is known of a command that has ended, and the status that follows from it.
package struct ProcessEnding: Sendable {
    package enum Cause: Sendable, Hashable {
        case exited(Int32)
        case signaled(Int32)
    }

    package var cause: Cause
    /// The last that it wrote on standard error.
    package var lastLines: [String] = []
    package var memoryMegabytes: Int?
    package var cpuSeconds: Int?
    /// The processor time it took, where that is known.
    package var cpuTime: Duration?

    package init(_ cause: Cause) { self.cause = cause }

    /// The status of a command that has not told one itself.
    package var status: Status {
        switch cause {
        case .exited(0): return .finished()
        case .exited(let code):
            if let status = memoryStatus { return status }
            return FailureReason.processExited.status(
                "The command ended with exit code \(code)\(Self.meaning(of: code)).\(tail)",
                metadata: [("exit_code", String(code))])
        case .signaled(let signal):
            if let cpuSeconds, signal == SIGXCPU || (signal == SIGKILL && hasUsed(cpuSeconds)) {
                return FailureReason.processCPULimit.status(
                    "The command used up its \(cpuSeconds) s of processor time.\(tail)",
                    metadata: [("cpu_seconds", String(cpuSeconds))])
            }
            if let status = memoryStatus { return status }
            let name = Self.name(of: signal)
            let metadata = [("signal", name)]
            if Self.crashes.contains(signal) {
                return FailureReason.processCrashed.status("The command crashed: \(name).\(tail)", metadata: metadata)
            }
            let hint = signal == SIGKILL ? " (the system does that when its memory runs out)" : ""
            return FailureReason.processKilled.status(
                "The command was killed by \(name)\(hint).\(tail)", metadata: metadata)
        }
    }

    /// No signal tells that memory could not be had; those who do not get it say so, mostly.
    private var memoryStatus: Status? {
        guard let memoryMegabytes else { return nil }
        let words = ["memoryerror", "bad_alloc", "out of memory", "cannot allocate memory", "outofmemory"]
        guard lastLines.contains(where: { line in words.contains { line.lowercased().contains($0) } }) else {
            return nil
        }
        return FailureReason.processMemoryLimit.status(
            "The command needed more than its \(memoryMegabytes) MB of memory.\(tail)",
            metadata: [("memory_megabytes", String(memoryMegabytes))])
    }

    private func hasUsed(_ cpuSeconds: Int) -> Bool { cpuTime.map { $0 >= .seconds(cpuSeconds) } ?? false }

    /// The last lines, newest kept, so that the whole stays a message.
    private var tail: String {
        var kept: [String] = []
        var room = 1_500
        for line in lastLines.reversed() where room > 0 {
            let part = String(line.prefix(min(room, 500)))
            room -= part.count + 1
            kept.append(part)
        }
        return kept.isEmpty ? "" : " Its last lines:\n" + kept.reversed().joined(separator: "\n")
    }

    private static func meaning(of code: Int32) -> String {
        switch code {
        case 126: " (by the shell's custom: it could not be executed)"
        case 127: " (by the shell's custom: it was not found)"
        case 129...(128 + 64): " (by the shell's custom: killed by \(name(of: code - 128)))"
        default: ""
        }
    }

    private static let crashes: Set<Int32> = [SIGSEGV, SIGABRT, SIGBUS, SIGILL, SIGFPE, SIGSYS, SIGTRAP]

    private static let names: [Int32: String] = [
        SIGHUP: "SIGHUP", SIGINT: "SIGINT", SIGQUIT: "SIGQUIT", SIGILL: "SIGILL", SIGTRAP: "SIGTRAP",
        SIGABRT: "SIGABRT", SIGBUS: "SIGBUS", SIGFPE: "SIGFPE", SIGKILL: "SIGKILL", SIGUSR1: "SIGUSR1",
        SIGSEGV: "SIGSEGV", SIGUSR2: "SIGUSR2", SIGPIPE: "SIGPIPE", SIGALRM: "SIGALRM", SIGTERM: "SIGTERM",
        SIGXCPU: "SIGXCPU", SIGXFSZ: "SIGXFSZ", SIGSYS: "SIGSYS",
    ]

    private static func name(of signal: Int32) -> String { names[signal] ?? "signal \(signal)" }
}
