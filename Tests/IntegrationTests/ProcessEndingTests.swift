// Part of Rollcall. SPDX-License-Identifier: Apache-2.0

import EvalProtocol
import Foundation
import RolloutEnvironment
import RolloutTracing
import TestSupport
import Testing
import WireJSON

@Suite("Integration: processes, how they end") struct ProcessEndingTests {
    struct Case: Sendable, CustomTestStringConvertible {
        let name: String
        let command: [String]
        let code: StatusCode
        let reason: FailureReason?
        let says: String
        var testDescription: String { name }
    }

    static let cases: [Case] = [
        Case(name: "exit 0", command: ["true"], code: .finished, reason: nil, says: "finished"),
        Case(
            name: "exit 3", command: ProcessLoop.shell("echo first >&2; echo 'no such luck' >&2; exit 3"),
            code: .internal, reason: .processExited, says: "exit code 3. Its last lines:\nfirst\nno such luck"),
        Case(
            name: "an exception", command: ProcessLoop.python("raise ValueError('not today')"), code: .internal,
            reason: .processExited, says: "ValueError: not today"),
        Case(
            name: "killed", command: ProcessLoop.shell("kill -KILL $$"), code: .unavailable, reason: .processKilled,
            says: "SIGKILL"),
        Case(
            name: "crashed", command: ProcessLoop.shell("kill -SEGV $$"), code: .aborted, reason: .processCrashed,
            says: "SIGSEGV"),
        Case(
            name: "a last line with a status",
            command: ProcessLoop.shell(#"echo hello; echo '{"status": {"code": 3, "message": "bad row"}}'; exit 7"#),
            code: .invalidArgument, reason: .agentReported, says: "bad row"),
        Case(
            name: "output closed early", command: ProcessLoop.shell("exec >&- 2>&-; sleep 0.2; exit 5"),
            code: .internal, reason: .processExited, says: "exit code 5"),
        Case(
            name: "input never read, and closed", command: ProcessLoop.shell("exec <&-; exit 0"), code: .finished,
            reason: nil, says: "finished"),
        Case(
            name: "longer than allowed",
            command: ProcessLoop.shell("trap '' TERM; echo waiting >&2; sleep 60; sleep 60"),
            code: .deadlineExceeded, reason: .deadlinePassed, says: "after 1.0 seconds, the environment's timeout"),
        Case(
            name: "stopped", command: ProcessLoop.shell("kill -STOP $$"), code: .deadlineExceeded,
            reason: .deadlinePassed, says: "after 1.0 seconds"),
    ]

    @Test("each way to end is told as what it is", arguments: cases) func ends(_ test: Case) async throws {
        let timeout = Duration.seconds(test.code == .deadlineExceeded ? 1 : 40)
        try await ProcessLoop.with(test.command, configure: { _ in }, timeout: timeout) { loop in
            let status = try #require(try await loop.roll().status)
            #expect(status.code == test.code, "\(status.message)")
            #expect(FailureReason(status) == test.reason)
            #expect(status.message.contains(test.says), "\(status.message)")
            #expect(loop.processes.isEmpty)
        }
    }

    @Test("processor time that is used up is a limit, not a kill") func cpu() async throws {
        try await ProcessLoop.with(ProcessLoop.python("while True: pass")) {
            $0.cpuSeconds = 1
        } run: { loop in
            let status = try #require(try await loop.roll().status)
            #expect(FailureReason(status) == .processCPULimit, "\(status)")
            #expect(status.code == .resourceExhausted)
        }
        let stubborn = "import signal\nsignal.signal(signal.SIGXCPU, signal.SIG_IGN)\nwhile True: pass"
        try await ProcessLoop.with(ProcessLoop.python(stubborn)) {
            $0.cpuSeconds = 1
        } run: { loop in
            let status = try #require(try await loop.roll().status)
            #expect(FailureReason(status) == .processCPULimit, "\(status)")
        }
    }

    @Test("memory that cannot be had is a limit") func memory() async throws {
        let code = "x = bytearray(300 << 20)"
        try await ProcessLoop.with(ProcessLoop.python(code)) {
            $0.memoryMegabytes = 100
        } run: { loop in
            let status = try #require(try await loop.roll().status)
            #expect(FailureReason(status) == .processMemoryLimit, "\(status)")
            #expect(status.message.contains("100 MB"))
        }
    }

    @Test("a cancelled rollout's processes are gone, those too that will not hear, and its slot is free")
    func cancelled() async throws {
        let code = """
            import os, signal, time
            signal.signal(signal.SIGTERM, signal.SIG_IGN)
            if os.fork() == 0:
                time.sleep(600)
            print("up", flush=True)
            time.sleep(600)
            """
        try await ProcessLoop.with(ProcessLoop.python(code)) { loop in
            try await loop.start("r")
            try await eventually("the agent's line") { try await loop.lines(of: "r").contains { $0.message == "up" } }
            #expect(loop.processes.count == 2)
            #expect(try await loop.post("/cancel", ["rollout_id": "r"]).text.contains("cancelled"))
            #expect(try await loop.end(of: "r").status?.code == .cancelled)
            #expect(loop.processes.isEmpty)
        }
    }

    @Test("a daemon with its own session, closed output and a deaf ear is ended with its rollout")
    func daemon() async throws {
        let code = """
            import os, signal, sys, time
            if os.fork() == 0:
                os.setsid()
                if os.fork() != 0:
                    os._exit(0)
                signal.signal(signal.SIGTERM, signal.SIG_IGN)
                for descriptor in range(3):
                    os.close(descriptor)
                os.chdir("/")
                time.sleep(600)
            os.wait()
            print("left one", flush=True)
            """
        try await ProcessLoop.with(ProcessLoop.python(code)) { loop in
            let status = try await loop.roll()
            #expect(status.status?.code == .finished)
            #expect(loop.processes.isEmpty)
            let lines = try await loop.lines(of: "r").map(\.message)
            #expect(lines == ["left one"])
        }
    }

    @Test("what a command leaves behind may write for ever: the rollout ends all the same") func writer() async throws {
        try await ProcessLoop.with(ProcessLoop.shell("yes & exit 0")) {
            $0.maximumLines = 100
        } run: { loop in
            let status = try await loop.roll()
            #expect(status.status?.code == .finished)
            #expect(loop.processes.isEmpty)
        }
    }

    @Test("the rollout's folder is there while it runs, and gone with what was in it") func folder() async throws {
        let code = """
            import json, os, sys
            folder = os.environ["TMPDIR"]
            body = sys.stdin.read()
            assert open(os.environ["ROLLCALL_INIT_FILE"]).read() == body
            assert json.loads(body)["metadata"]["rollout_id"] == "r"
            assert os.stat(folder).st_mode & 0o777 == 0o700
            os.makedirs(folder + "/a/b")
            open(folder + "/a/b/c", "w").write("x")
            os.chmod(folder + "/a", 0o500)
            print(folder)
            """
        try await ProcessLoop.with(ProcessLoop.python(code)) { loop in
            let status = try await loop.roll()
            #expect(status.status?.code == .finished, "\(String(describing: status.status))")
            let folder = try #require(try await loop.lines(of: "r").first?.message)
            #expect(folder.contains("rollcall-rollout-"))
            #expect(!FileManager.default.fileExists(atPath: folder))
        }
    }

    @Test("commands are ended at once when the environment's process is about to exit") func shutdown() async throws {
        let code = "trap '' TERM; echo up; while true; do sleep 1; done"
        try await ProcessLoop.with(ProcessLoop.shell(code)) {
            $0.terminationGrace = .seconds(60)
        } run: { loop in
            try await loop.start("r")
            try await eventually("the agent's line") { try await !loop.lines(of: "r").isEmpty }
            await loop.agent.shutdown()
            #expect(loop.processes.isEmpty)
            try await loop.start("late")
            let status = try #require(try await loop.end(of: "late").status)
            #expect(FailureReason(status) == .environmentStopped)
        }
    }
}
