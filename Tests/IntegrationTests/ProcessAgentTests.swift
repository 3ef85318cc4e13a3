// Part of Rollcall. SPDX-License-Identifier: Apache-2.0

import EvalProtocol
import Foundation
import RolloutEnvironment
import RolloutTracing
import TestSupport
import Testing
import WireJSON

@Suite("Integration: processes as agents") struct ProcessAgentTests {
    /// Chat completions with nothing but the standard library.
    static let chat = """
        import json, os, sys, urllib.request
        request = json.load(sys.stdin)
        def post(url, body, key):
            headers = {"Content-Type": "application/json", "Authorization": "Bearer " + key}
            call = urllib.request.Request(url, json.dumps(body).encode(), headers)
            return json.load(urllib.request.urlopen(call))
        def ask(messages):
            url = os.environ["OPENAI_BASE_URL"] + "/chat/completions"
            body = {"model": os.environ["ROLLCALL_MODEL"], "messages": messages}
            return post(url, body, os.environ["OPENAI_API_KEY"])["choices"][0]["message"]
        def log(message, status=None, rollout=None, **extras):
            line = {"program": "eval_protocol", "message": message, "status": status, "extras": extras,
                    "tags": ["rollout_id:" + (rollout or os.environ["EP_ROLLOUT_ID"])]}
            return post(os.environ["FW_TRACING_GATEWAY_BASE_URL"] + "/logs", line, os.environ["FIREWORKS_API_KEY"])

        """

    @Test("a plain agent's calls are the rollout's trajectory, under its attempt") func trajectory() async throws {
        let code =
            Self.chat + """
                messages = [{"role": one["role"], "content": one["content"]} for one in request["messages"]]
                messages.append(ask(messages))
                messages.append({"role": "user", "content": "again"})
                ask(messages)
                print(os.environ["OPENAI_BASE_URL"])
                print(os.environ["ROLLCALL_ATTEMPT"])
                """
        try await ProcessLoop.with(ProcessLoop.python(code)) { loop in
            let row = try await loop.loop.process("hello")
            #expect(row.rolloutStatus.code == .finished, "\(row.rolloutStatus)")
            #expect(row.messages.map(\.text) == ["hello", "echo: hello", "again", "echo: again"])
            let id = try #require(row.executionMetadata.rolloutID)
            let lines = try await loop.lines(of: id).map(\.message)
            #expect(lines.first?.contains("/attempt/\(lines.last ?? "")/") == true, "\(lines)")
        }
    }

    @Test("many at a time do not mix") func many() async throws {
        let code =
            Self.chat + """
                print(ask(request["messages"])["content"])
                log("I am " + os.environ["EP_ROLLOUT_ID"])
                """
        try await ProcessLoop.with(ProcessLoop.python(code)) { loop in
            try await withThrowingTaskGroup(of: Void.self) { group in
                for number in 1...20 {
                    group.addTask {
                        let status = try await loop.roll("many-\(number)", "text \(number)")
                        #expect(status.status?.code == .finished)
                        // Output and posts come by two ways.
                        let lines = try await loop.lines(of: "many-\(number)").map(\.message)
                        #expect(lines.sorted() == ["I am many-\(number)", "echo: text \(number)"])
                    }
                }
                try await group.waitForAll()
            }
            #expect(loop.processes.isEmpty)
        }
    }

    @Test("lines come with their severity, their members and without secrets") func lines() async throws {
        let code = #"""
            import os, sys
            print("plain")
            print('{"severity": "ERROR", "message": "told", "step": 2}')
            print("the key is " + os.environ["OPENAI_API_KEY"] + ", the token " + os.environ["FIREWORKS_API_KEY"])
            print("mine is " + os.environ["MY_API_KEY"])
            sys.stdout.flush()
            sys.stdout.buffer.write(b"\xff\x00\x1b[1m\n" + b"x" * 100 + b"\n")
            """#
        try await ProcessLoop.with(ProcessLoop.python(code)) { configuration in
            configuration.maximumLineBytes = 90
            configuration.variables["MY_API_KEY"] = "configured-secret"
        } run: { loop in
            #expect(try await loop.roll().status?.code == .finished)
            let lines = try await loop.lines(of: "r")
            #expect(
                lines.map(\.message) == [
                    "plain", "told", "the key is [redacted], the token [redacted]", "mine is [redacted]",
                    "\u{FFFD}␀␛[1m", String(repeating: "x", count: 90) + "… (10 bytes more)",
                ])
            #expect(lines.map(\.severity) == ["INFO", "ERROR", "INFO", "INFO", "INFO", "INFO"])
            #expect(lines.count > 1 && lines[1].extras["step"] == 2)
            #expect(lines.first?.extras["stream"] == "stdout")
        }
    }

    @Test("of a flood of lines the first are kept in order, and the rest is counted") func flood() async throws {
        let code = "for i in range(100_000): print('line', i)"
        try await ProcessLoop.with(ProcessLoop.python(code)) {
            $0.maximumLines = 3_000
        } run: { loop in
            #expect(try await loop.roll().status?.code == .finished)
            let lines = try await loop.lines(of: "r", limit: 10_000).map(\.message)
            #expect(lines.count == 3_001)
            #expect(Array(lines.prefix(3_000)) == (0..<3_000).map { "line \($0)" })
            #expect(lines.last == "97000 more lines of the command were not kept: a rollout may have 3000.")
        }
    }

    @Test("the environment's own variables and keys stay out of the command") func keys() async throws {
        var environment = Loop.quietConfiguration()
        environment.variables["OPENAI_API_KEY"] = "own-openai-key"
        environment.gatewayAPIKey = "own-gateway-key"
        try await ProcessLoop.with(
            ["env"],
            configure: { configuration in
                configuration.environment["FIREWORKS_API_KEY"] = "own-gateway-key"
                configuration.environment["ANYTHING"] = "else"
            }, environment: environment
        ) { loop in
            #expect(try await loop.roll().status?.code == .finished)
            let names = try await loop.lines(of: "r").map { $0.message.prefix { $0 != "=" } }.sorted()
            #expect(
                names.filter { !["HOME", "LANG", "PATH"].contains($0) } == [
                    "EP_EXPERIMENT_ID", "EP_INVOCATION_ID", "EP_ROLLOUT_ID", "EP_ROW_ID", "EP_RUN_ID",
                    "FIREWORKS_API_KEY", "FW_TRACING_GATEWAY_BASE_URL", "OPENAI_API_KEY", "OPENAI_BASE_URL",
                    "PYTHONUNBUFFERED", "ROLLCALL_ATTEMPT", "ROLLCALL_INIT_FILE", "ROLLCALL_MODEL",
                    "ROLLCALL_PROCESS_MARKER", "TEST_MARK", "TMPDIR",
                ])
            let text = try await loop.lines(of: "r").map(\.message).joined()
            #expect(!text.contains("own-") && !text.contains("else"))
            try await loop.start("keyless", key: nil)
            #expect(try await loop.end(of: "keyless").status?.code == .finished)
            #expect(try await loop.lines(of: "keyless").contains { $0.message == "OPENAI_API_KEY=none" })
        }
    }

    @Test("a status that the command sends itself is the rollout's only one, with what goes along") func relayed()
        async throws
    {
        let code =
            Self.chat + """
                ask(request["messages"])
                log("begun", {"code": 101, "message": "running"}, step=1)
                log("between", None, step=2, logger_name="agent", level="ERROR", timestamp="2026-01-31T12:00:00.000000Z")
                log("all done", {"code": 100, "message": "Rollout finished", "details": []}, reward=0.5)
                log("too late", {"code": 13, "message": "broken"})
                sys.exit(1)
                """
        try await ProcessLoop.with(ProcessLoop.python(code)) { loop in
            let row = try await loop.loop.process("hello")
            #expect(row.rolloutStatus.code == .finished, "\(row.rolloutStatus)")
            #expect(row.executionMetadata.extra?["reward"] == 0.5)
            let entries = try await loop.gateway.logs(of: try #require(row.executionMetadata.rolloutID))
            let terminal = entries.filter { $0.status?.isTerminal == true }
            #expect(terminal.map(\.message) == ["all done"])
            #expect(entries.contains { $0.message == "begun" && $0.status?.code == .running && $0.extras["step"] == 1 })
            let between = try #require(entries.first { $0.message == "between" })
            #expect(between.severity == "ERROR")
            #expect(between.extras["timestamp"] == "2026-01-31T12:00:00.000000Z")
            #expect(entries.contains { $0.message == "too late" && $0.status == nil })
        }
    }

    @Test("a command that has told its end has a while to come to it") func lingering() async throws {
        let code = Self.chat + #"log("done", {"code": 100, "message": "m"}); import time; time.sleep(60)"#
        try await ProcessLoop.with(ProcessLoop.python(code)) {
            $0.exitGrace = .milliseconds(200)
        } run: { loop in
            let status = try await loop.roll()
            #expect(status.status?.code == .finished)
            #expect(loop.processes.isEmpty)
        }
    }

    @Test("the relay takes lines of its rollout alone, while that runs") func refused() async throws {
        let code =
            Self.chat + """
                import urllib.error
                def refused(call):
                    try:
                        call()
                    except urllib.error.HTTPError as error:
                        return error.code
                base = os.environ["FW_TRACING_GATEWAY_BASE_URL"]
                print(refused(lambda: log("x", rollout="another")))
                print(refused(lambda: post(base + "/traces", {}, "k")))
                print(refused(lambda: post(base + "x/logs", {}, "k")))
                print(refused(lambda: post(base + "/logs", {"tags": []}, "k")))
                print(refused(lambda: post(base + "/logs", {"tags": "t"}, "k")))
                print(refused(lambda: post(base + "/v1/logs", [], "k")))
                print(refused(lambda: urllib.request.urlopen(base + "/logs")))
                print(base)
                """
        try await ProcessLoop.with(ProcessLoop.python(code)) { loop in
            #expect(try await loop.roll().status?.code == .finished)
            let lines = try await loop.lines(of: "r").map(\.message)
            #expect(lines.dropLast() == ["403", "404", "410", "400", "400", "400", "405"])
            #expect(lines.last?.hasPrefix("http://127.0.0.1:") == true)
            #expect(lines.last?.hasSuffix("/relay/[redacted]") == true)
        }
    }

    @Test("a long request reaches a command that reads it, and one that does not") func longRequest() async throws {
        let text = String(repeating: "long ", count: 400_000)
        try await ProcessLoop.with(ProcessLoop.python("import sys; print(len(sys.stdin.read()) > 2_000_000)")) { loop in
            let status = try await loop.roll("r", text)
            #expect(status.status?.code == .finished)
            let lines = try await loop.lines(of: "r").map(\.message)
            #expect(lines == ["True"])
        }
        try await ProcessLoop.with(["true"]) { loop in
            let status = try await loop.roll("r", text)
            #expect(status.status?.code == .finished)
        }
    }
}
