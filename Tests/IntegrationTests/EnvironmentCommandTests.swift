// Part of Rollcall. SPDX-License-Identifier: Apache-2.0

import AsyncHTTPClient
import EvalProtocol
import Foundation
import NIOCore
import RolloutTracing
import TestSupport
import Testing
import WireJSON

/// The built command, between a built gateway and a scripted model.
@Suite("Integration: rollcall environment", .serialized) struct EnvironmentCommandTests {
    private struct World {
        let gatewayURL: String
        let mark = "TEST_MARK=\(UUID().uuidString)"
        var gateway: TracingClient { TracingClient(gatewayURL: gatewayURL) }

        func request(_ rolloutID: String, _ text: String = "hello") -> InitRequest {
            let metadata = ProcessLoop.metadata(rolloutID)
            return InitRequest(
                completionParameters: CompletionParameters(model: "scripted"), messages: [.user(text)],
                modelBaseURL: TaggedURL.make(gatewayURL: gatewayURL, metadata: metadata), metadata: metadata,
                apiKey: "caller-key-1234")
        }

        func environment(
            _ options: [String], _ command: [String], variables: [String: String] = [:]
        ) throws -> RollcallProcess {
            try RollcallProcess("environment", options + ["--env", mark, "--"] + command, variables: variables)
        }

        /// The processes of this world's commands.
        var processes: [Int32] {
            let names = (try? FileManager.default.contentsOfDirectory(atPath: "/proc")) ?? []
            let mark = Data(mark.utf8)
            return names.compactMap { Int32($0) }.filter { identifier in
                let environ = FileManager.default.contents(atPath: "/proc/\(identifier)/environ")
                return environ?.range(of: mark) != nil
            }
        }
    }

    private func withWorld(_ body: @escaping @Sendable (World) async throws -> Void) async throws {
        try await ScriptedHTTPServer.with(ModelAnswers.echo) { model in
            let folder = FileManager.default.temporaryDirectory.appending(path: "rollcall-\(UUID().uuidString)")
            try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
            defer { try? FileManager.default.removeItem(at: folder) }
            let gateway = try RollcallProcess(
                "gateway",
                ["--port", "0", "--store", "sqlite:\(folder.path)/t.sqlite", "--upstream", model.url + "/v1"])
            defer { gateway.end() }
            let port = try #require(try await gateway.ready()["port"]?.int)
            try await body(World(gatewayURL: "http://localhost:\(port)"))
        }
    }

    private func descriptors(of process: Int32) throws -> Int {
        try FileManager.default.contentsOfDirectory(atPath: "/proc/\(process)/fd").count
    }

    @Test("it serves rollouts, leaves nothing behind, and ends the running ones when it is told to end")
    func serves() async throws {
        try await withWorld { world in
            let agent = ProcessAgentTests.chat + #"print(ask(request["messages"])["content"])"#
            let environment = try world.environment(
                ["--port", "0", "--grace", "0", "--timeout", "40", "--gateway-url", world.gatewayURL],
                ProcessLoop.python(
                    agent + "\nimport time\nif request['messages'][0]['content'] == 'wait': time.sleep(600)"))
            defer { environment.end() }
            #expect(try await environment.ready()["service"] == "environment")
            func roll(_ id: String) async throws {
                let body = String(decoding: world.request(id).serialized(), as: UTF8.self)
                let answer = try await environment.request("POST", "/init", body: body)
                #expect(answer.status == 200)
                let status = try await world.gateway.status(of: id, wait: .seconds(40)).status
                #expect(status?.code == .finished, "\(String(describing: status)); \(environment.errors)")
            }
            for number in 1...3 { try await roll("warm-\(number)") }
            let before = try descriptors(of: environment.identifier)
            for number in 1...20 { try await roll("r-\(number)") }
            try await eventually("as few descriptors as before") {
                try descriptors(of: environment.identifier) <= before
            }
            #expect(world.processes.filter { $0 != environment.identifier }.isEmpty)
            #expect(try await world.gateway.traces(of: "r-1").count == 1)

            let waiting = String(decoding: world.request("waiting", "wait").serialized(), as: UTF8.self)
            #expect(try await environment.request("POST", "/init", body: waiting).status == 200)
            try await eventually("a running command") { !world.processes.isEmpty }
            environment.signal(SIGTERM)
            #expect(try await environment.exitCode() == 0, "\(environment.errors)")
            #expect(try await world.gateway.status(of: "waiting").status?.code == .unavailable)
            #expect(world.processes.isEmpty)
        }
    }

    @Test(
        "wrong use is told in a sentence before anything starts",
        arguments: [
            ([], 64, "after --"),
            (["--", "no-such-command-anywhere"], 64, "no-such-command-anywhere was not found in"),
            (["--workdir", "/no/such", "--", "true"], 64, "/no/such"),
            (["--port", "70000", "--", "true"], 64, "--port"),
            (["--max-concurrent", "0", "--", "true"], 64, "--max-concurrent"),
            (["--timeout", "0", "--", "true"], 64, "--timeout"),
            (["--memory", "1", "--", "true"], 64, "--memory"),
            (["--cpu-seconds", "0", "--", "true"], 64, "--cpu-seconds"),
            (["--budget", "wishes=3", "--", "true"], 64, "--budget"),
            (["--budget", "calls=0", "--", "true"], 64, "--budget calls"),
            (["--lease", "0.5", "--", "true"], 64, "--lease"),
            (["--grace", "-1", "--", "true"], 64, "--grace"),
            (["--gateway-url", "localhost:1", "--", "true"], 64, "--gateway-url"),
            (["--env", "=x", "--", "true"], 64, "--env"),
            (["--env", "NO_SUCH_VARIABLE_HERE", "--", "true"], 64, "NO_SUCH_VARIABLE_HERE has no value"),
            (["--env", "FIREWORKS_API_KEY=x", "--", "true"], 64, "FIREWORKS_API_KEY is set for each rollout"),
            (["--allow-web-origin", "a.example", "--", "true"], 64, "--allow-web-origin"),
            (["--init-file", "x", "--", "true"], 64, "--once"),
            (["--log-level", "loud", "--", "true"], 64, "--log-level"),
            (["--tls-key", "k", "--", "true"], 64, "--tls-key needs --tls-certificate"),
            (["--tls-certificate", "c", "--", "true"], 64, "--tls-certificate needs --tls-key"),
            (["--tls-certificate", "/no/it", "--tls-key", "k", "--", "true"], 64, "--tls-certificate: there is no"),
            (["--path-secret-file", "/no/such", "--", "true"], 64, "--path-secret-file: the file /no/such cannot be"),
            (["--path-secret-file", "/dev/null", "--", "true"], 64, "--path-secret-file: the path secret must be"),
            (["--api-keys-file", "/no/such", "--", "true"], 64, "--api-keys-file: the file /no/such cannot be read"),
            (["--api-keys-file", "/dev/null", "--", "true"], 64, "/dev/null has no key in it"),
            (["--once", "--api-keys-file", "k", "--", "true"], 64, "--api-keys-file is for callers of a server"),
            (["--once", "--init-file", "/no/such", "--", "true"], 65, "/no/such cannot be read"),
        ] as [([String], Int32, String)])
    func wrong(arguments: [String], code: Int32, says: String) async throws {
        let process = try RollcallProcess("environment", arguments)
        #expect(try await process.exitCode() == code, "\(process.errors)")
        #expect(process.errors.contains(says), "\(process.errors)")
        #expect(process.output.isEmpty)
    }

    @Test("a port that is taken is named") func portTaken() async throws {
        try await ScriptedHTTPServer.with(ModelAnswers.echo) { other in
            let process = try RollcallProcess(
                "environment", ["--host", "127.0.0.1", "--port", "\(other.port)", "--", "true"])
            #expect(try await process.exitCode() == 1)
            #expect(process.errors.contains("port \(other.port) of 127.0.0.1 is in use"), "\(process.errors)")
        }
    }

    // MARK: Access

    @Test("with keys, a path secret and TLS, rollcall rollout gets through with what it is given, and with no less")
    func access() async throws {
        try await withWorld { world in
            let folder = FileManager.default.temporaryDirectory.appending(path: "rollcall-\(UUID().uuidString)")
            try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
            defer { try? FileManager.default.removeItem(at: folder) }
            let tls = try TestCertificate.write(to: folder)
            let (secretFile, keysFile) = (folder.appending(path: "secret"), folder.appending(path: "keys"))
            let secret = "a-secret-in-front-of-paths"
            try Data("\(secret)\n".utf8).write(to: secretFile)
            try Data("# callers\nkey-of-a-file somebody\n".utf8).write(to: keysFile)
            for (file, mode) in [(secretFile, 0o644), (keysFile, 0o600)] {
                try FileManager.default.setAttributes([.posixPermissions: mode], ofItemAtPath: file.path)
            }
            let environment = try world.environment(
                [
                    "--host", "127.0.0.1", "--port", "0", "--gateway-url", world.gatewayURL, "--log-level", "trace",
                    "--path-secret-file", secretFile.path, "--api-keys-file", keysFile.path, "--tls-certificate",
                    tls.certificate, "--tls-key", tls.key,
                ], ProcessLoop.python(ProcessAgentTests.chat + #"print(ask(request["messages"])["content"])"#),
                variables: ["ROLLCALL_ENVIRONMENT_KEYS": "key-of-the-variable"])
            defer { environment.end() }
            let ready = try await environment.ready()
            let port = try #require(ready["port"]?.int)
            #expect(ready["url"]?.string == "https://127.0.0.1:\(port)")
            #expect(environment.errors.contains("--path-secret-file: \(secretFile.path) can be read by others"))
            #expect(!environment.errors.contains("\(keysFile.path) can be read"))
            #expect(!environment.errors.contains("whoever reaches it there"))

            func rollout(
                path: String = "/a-secret-in-front-of-paths", key: String?, ca: Bool = true
            ) async throws -> (code: Int32, said: String) {
                let process = try RollcallProcess(
                    "rollout",
                    [
                        "--environment", "https://127.0.0.1:\(port)\(path)", "--gateway", world.gatewayURL, "--model",
                        "scripted", "--message", "hello", "--timeout", "10",
                    ] + (ca ? ["--environment-ca-file", tls.certificate] : []),
                    variables: key.map { ["ROLLCALL_ENVIRONMENT_KEY": $0] } ?? [:])
                let code = try await process.exitCode()
                return (code, process.output + process.errors)
            }
            for key in ["key-of-a-file", "key-of-the-variable"] {
                let outcome = try await rollout(key: key)
                #expect(outcome.code == 0, "\(outcome.said); \(environment.errors)")
            }
            let refused = [
                (try await rollout(key: nil), "HTTP 401"), (try await rollout(key: "another-key"), "HTTP 401"),
                (try await rollout(path: "", key: "key-of-a-file"), "HTTP 404"),
                (try await rollout(key: "key-of-a-file", ca: false), "CERTIFICATE_VERIFY_FAILED"),
            ]
            for (outcome, words) in refused {
                #expect(outcome.code == 1 && outcome.said.contains(words), "\(outcome.said)")
                #expect(!outcome.said.contains(secret))
            }
            environment.signal(SIGTERM)
            #expect(try await environment.exitCode() == 0, "\(environment.errors)")
            let said = environment.output + environment.errors
            for hidden in [secret, "key-of-a-file", "key-of-the-variable"] { #expect(!said.contains(hidden)) }
        }
    }

    @Test("keys are for callers of a server: --once takes its one request without") func onceWithKeys() async throws {
        try await withWorld { world in
            let file = FileManager.default.temporaryDirectory.appending(path: "\(UUID().uuidString).json")
            try Data(world.request("keyed").serialized()).write(to: file)
            defer { try? FileManager.default.removeItem(at: file) }
            let process = try world.environment(
                ["--once", "--init-file", file.path], ["true"], variables: ["ROLLCALL_ENVIRONMENT_KEYS": "a-key"])
            #expect(try await process.exitCode() == 0, "\(process.errors)")
        }
    }

    // MARK: Once

    @Test(
        "one rollout, and the exit code tells how it ended",
        arguments: [("exit 0", 0, 100), ("exit 4", 13, 13), ("kill -KILL $$", 14, 14)] as [(String, Int32, Int)])
    func once(command: String, code: Int32, status: Int) async throws {
        try await withWorld { world in
            let file = FileManager.default.temporaryDirectory.appending(path: "\(UUID().uuidString).json")
            try Data(world.request("once").serialized()).write(to: file)
            defer { try? FileManager.default.removeItem(at: file) }
            let process = try world.environment(
                ["--once", "--init-file", file.path], ProcessLoop.shell("echo worked; \(command)"))
            #expect(try await process.exitCode() == code, "\(process.errors)")
            let line = try JSONValue(parsing: Array(process.output.utf8).filter { $0 != 10 })
            #expect(line["event"] == "ended" && line["status"]?["code"]?.int == status)
            // It is there already: the process has delivered everything before it ended.
            let entries = try await world.gateway.logs(of: "once")
            #expect(entries.contains { $0.message == "worked" })
            #expect(entries.first?.status?.code.rawValue == status)
            #expect(world.processes.isEmpty)
        }
    }

    @Test("a request that is none, a gateway that is not there, and a signal have their own codes")
    func onceOtherwise() async throws {
        let file = FileManager.default.temporaryDirectory.appending(path: "\(UUID().uuidString).json")
        defer { try? FileManager.default.removeItem(at: file) }
        try Data("{}".utf8).write(to: file)
        let empty = try RollcallProcess("environment", ["--once", "--init-file", file.path, "--", "true"])
        #expect(try await empty.exitCode() == 65)
        #expect(empty.errors.contains("completion_params"), "\(empty.errors)")

        try Data(World(gatewayURL: "http://localhost:1").request("once").serialized()).write(to: file)
        let alone = try RollcallProcess("environment", ["--once", "--init-file", file.path, "--", "true"])
        #expect(try await alone.exitCode() == 69)
        #expect(alone.errors.contains("http://localhost:1"), "\(alone.errors)")

        try await withWorld { world in
            try Data(world.request("stopped").serialized()).write(to: file)
            let process = try world.environment(
                ["--once", "--init-file", file.path, "--grace", "0"], ProcessLoop.shell("sleep 600 & sleep 600"))
            defer { process.end() }
            try await eventually("a running command") { world.processes.count >= 2 }
            process.signal(SIGTERM)
            #expect(try await process.exitCode() == 14, "\(process.errors)")
            #expect(try await world.gateway.status(of: "stopped").status?.code == .unavailable)
            #expect(world.processes.isEmpty)
        }
    }
}
