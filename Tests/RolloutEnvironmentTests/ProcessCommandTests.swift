// Part of Rollcall. SPDX-License-Identifier: Apache-2.0

import EvalProtocol
import Foundation
import RolloutEnvironment
import Testing

@Suite("Processes: commands and variables") struct ProcessCommandTests {
    private func command(_ words: [String], memory: Int? = nil, cpu: Int? = nil) throws -> ProcessCommand {
        try ProcessCommand(
            words, workingDirectory: "/usr", searchPath: "/nowhere:bin:/usr/bin:/bin", memoryMegabytes: memory,
            cpuSeconds: cpu)
    }

    @Test("a program is found in the search path, or at its path") func found() throws {
        #expect(try command(["env", "-i", ""]).executable == "/usr/bin/env")
        #expect(try command(["env", "-i", ""]).name == "env")
        #expect(try command(["env", "-i", ""]).arguments == ["-i", ""])
        #expect(try command(["bin/env"]).executable == "/usr/bin/env")
        #expect(try command(["/usr/bin/env"]).executable == "/usr/bin/env")
    }

    @Test("limits stand before it") func limited() throws {
        let limited = try command(["env", "-i"], memory: 100, cpu: 5)
        #expect(limited.executable == "/usr/bin/prlimit")
        #expect(limited.arguments == ["--core=0", "--data=104857600", "--cpu=5:6", "--", "/usr/bin/env", "-i"])
    }

    @Test(
        "what cannot be run is told at once",
        arguments: [
            ([], "no command"), ([""], "no command"), (["no-such-program"], "no-such-program was not found"),
            (["./no-such-program"], "there is no /usr/./no-such-program"), (["bin"], "was not found"),
            (["/usr/bin"], "cannot be executed"), (["/etc/passwd"], "cannot be executed"),
            (["env", "a\0b"], "holds a NUL"),
        ] as [([String], String)])
    func refused(words: [String], says: String) {
        let error = #expect(throws: ProcessCommandError.self) { try command(words) }
        #expect(error?.description.contains(says) == true, "\(error?.description ?? "")")
    }

    @Test(
        "variables that a rollout has of its own cannot be configured",
        arguments: [
            "FIREWORKS_API_KEY", "FW_TRACING_GATEWAY_BASE_URL", "EP_ROLLOUT_ID", "ROLLCALL_X", "TMPDIR", "", "a=b",
            "1A",
        ])
    func reserved(name: String) {
        var configuration = ProcessRollout.Configuration()
        configuration.variables = [name: "x"]
        #expect(throws: ProcessCommandError.self) { try ProcessRollout(["sh"], configuration: configuration) }
    }

    @Test("a folder that is none is told at once") func folder() {
        var configuration = ProcessRollout.Configuration()
        configuration.workingDirectory = "/no/such/folder"
        let error = #expect(throws: ProcessCommandError.self) {
            try ProcessRollout(["sh"], configuration: configuration)
        }
        #expect(error?.description.contains("/no/such/folder") == true)
    }

    private func variables(
        modelURL: String? = "http://gateway/v1", key: String? = "caller", configured: [String: String] = [:],
        rowID: String = "row 1"
    ) -> [String: String] {
        let metadata = RolloutMetadata(
            invocationID: "i", experimentID: "e", rolloutID: "r", runID: "u", rowID: rowID)
        return ProcessVariables(
            metadata: metadata, attempt: AttemptID("a1")!, model: "m", modelURL: modelURL, modelKey: key,
            relayURL: "http://127.0.0.1:1/relay/t", relayToken: "t", folder: "/tmp/f", requestFile: "/tmp/f/init.json",
            markerValue: "marked", deadline: Date(timeIntervalSince1970: 1_700_000_000.25)
        ).all(
            environment: [
                "PATH": "/bin", "HOME": "/root", "LANG": "C", "FIREWORKS_API_KEY": "own", "OPENAI_API_KEY": "own",
                "SECRET": "own",
            ], configured: configured)
    }

    @Test("a command gets the rollout's variables and few others") func clean() {
        #expect(
            variables(configured: ["MODE": "fast"]) == [
                "PATH": "/bin", "HOME": "/root", "LANG": "C", "PYTHONUNBUFFERED": "1", "MODE": "fast",
                "OPENAI_BASE_URL": "http://gateway/v1", "OPENAI_API_KEY": "caller",
                "FW_TRACING_GATEWAY_BASE_URL": "http://127.0.0.1:1/relay/t", "FIREWORKS_API_KEY": "t",
                "EP_ROLLOUT_ID": "r", "EP_INVOCATION_ID": "i", "EP_EXPERIMENT_ID": "e", "EP_RUN_ID": "u",
                "EP_ROW_ID": "row 1", "ROLLCALL_ATTEMPT": "a1", "ROLLCALL_MODEL": "m",
                "ROLLCALL_INIT_FILE": "/tmp/f/init.json", "ROLLCALL_DEADLINE": "1700000000.250", "TMPDIR": "/tmp/f",
                "ROLLCALL_PROCESS_MARKER": "marked",
            ])
    }

    @Test("the request's model and key win over configured ones, which serve where it has none") func model() {
        let configured = ["OPENAI_BASE_URL": "http://own/v1", "OPENAI_API_KEY": "configured"]
        #expect(variables(configured: configured)["OPENAI_BASE_URL"] == "http://gateway/v1")
        #expect(variables(configured: configured)["OPENAI_API_KEY"] == "caller")
        #expect(variables(modelURL: nil, key: nil, configured: configured)["OPENAI_BASE_URL"] == "http://own/v1")
        #expect(variables(modelURL: nil, key: nil, configured: configured)["OPENAI_API_KEY"] == "configured")
        #expect(variables(modelURL: nil, key: nil)["OPENAI_API_KEY"] == "none")
        #expect(variables(modelURL: nil)["OPENAI_BASE_URL"] == nil)
    }

    @Test("an id may be any text") func anyText() {
        #expect(variables(rowID: "a\0b=c\n")["EP_ROW_ID"] == "a\u{FFFD}b=c\n")
    }
}
