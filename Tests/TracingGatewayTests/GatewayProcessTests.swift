// Part of Rollcall. SPDX-License-Identifier: Apache-2.0

import Foundation
import TestSupport
import Testing
import WireJSON

/// The built command as a process of its own.
@Suite("TracingGateway: rollcall gateway") struct GatewayProcessTests {
    private static func withFolder<Result: Sendable>(
        _ body: @Sendable (URL) async throws -> Result
    ) async throws -> Result {
        let folder = FileManager.default.temporaryDirectory.appending(path: "rollcall-\(UUID().uuidString)")
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(at: folder) }
        return try await body(folder)
    }

    private static func store(_ folder: URL) -> String { "sqlite:\(folder.path)/traces.sqlite" }

    @Test(
        "it says where it is on one line of JSON, and SIGTERM and SIGINT end it with 0", arguments: [SIGTERM, SIGINT])
    func signals(signal: Int32) async throws {
        try await Self.withFolder { folder in
            let gateway = try RollcallProcess("gateway", ["--port", "0", "--store", Self.store(folder)])
            let line = try await gateway.ready()
            #expect(line["event"]?.string == "ready")
            #expect(line["url"]?.string == "http://localhost:\(line["port"]?.int ?? 0)")
            #expect(gateway.output.split(separator: "\n").count == 1)
            let health = try await gateway.request("GET", "/health")
            #expect(health.status == 200)
            gateway.signal(signal)
            #expect(try await gateway.exitCode() == 0)
        }
    }

    #if os(Linux)
    @Test("there are as many event loops as cores that the process may use") func loops() async throws {
        try await Self.withFolder { folder in
            let gateway = try RollcallProcess(
                "gateway", ["--port", "0", "--store", Self.store(folder)], launcher: ["taskset", "-c", "0"])
            _ = try await gateway.ready()
            let tasks = "/proc/\(gateway.identifier)/task"
            let names = try FileManager.default.contentsOfDirectory(atPath: tasks).map {
                try String(contentsOfFile: "\(tasks)/\($0)/comm", encoding: .utf8)
            }
            #expect(names.filter { $0.hasPrefix("NIO-") }.count == 1, "\(names)")
        }
    }
    #endif

    @Test("settings come from variables too, and the flag wins") func variables() async throws {
        try await Self.withFolder { folder in
            let gateway = try RollcallProcess(
                "gateway", ["--port", "0"],
                variables: [
                    "ROLLCALL_PORT": "not a port", "ROLLCALL_STORE": Self.store(folder), "ROLLCALL_HOST": "127.0.0.1",
                    "ROLLCALL_API_KEYS": "secret-1,secret-2", "ROLLCALL_LOG_FORMAT": "json",
                    "ROLLCALL_LOG_LEVEL": "trace",
                    "ROLLCALL_UPSTREAM": "http://localhost:1/v1", "ROLLCALL_UPSTREAM_KEY": "secret-3",
                    "ROLLCALL_ALLOW_UPSTREAM": "https://other.example=OTHER_KEY", "OTHER_KEY": "secret-4",
                ])
            #expect(try await gateway.ready()["sockets"]?.array?.count == 1)
            #expect(try await gateway.request("GET", "/status?rollout_id=x").status == 401)
            let known = try await gateway.request(
                "GET", "/status?rollout_id=x", headers: ["authorization: Bearer secret-2"])
            #expect(known.status == 200)
            gateway.signal(SIGTERM)
            #expect(try await gateway.exitCode() == 0)
            let lines = gateway.errors.split(separator: "\n")
            #expect(!lines.isEmpty)
            for line in lines { #expect((try? JSONValue(parsing: Array(line.utf8)))?.object != nil, "\(line)") }
            #expect(!gateway.errors.contains("secret"))
        }
    }

    @Test("the request id of an answer that failed is with the line of JSON that says why") func requestID()
        async throws
    {
        let gate = Gate()
        defer { gate.open() }
        try await LimitedGateway.with(
            ["--log-format", "json", "--max-pending-records", "1"],
            answer: { _ in
                await gate.pass()
                return .json(GatewayFixture.completion("hello"))
            }
        ) { gateway in
            let held = try await gateway.send("r")
            try await gateway.upstream.waitForRequests(1)
            let answers = try await [gateway.log(), gateway.log()]
            let ids = answers.compactMap { $0.header("x-rollcall-request-id") }
            #expect(answers.map(\.status) == [503, 503] && Set(ids).count == 2)
            for (id, answer) in zip(ids, answers) {
                func lines() -> [JSONValue] {
                    gateway.process.errors.split(separator: "\n").compactMap { try? JSONValue(parsing: Array($0.utf8)) }
                        .filter { $0["request"]?.string == id }
                }
                try await eventually("line with \(id)") { !lines().isEmpty }
                let line = try #require(lines().first)
                #expect(lines().count == 1 && line["level"]?.string == "warning", "\(lines())")
                #expect(line["path"]?.string == "/logs" && line["logger"]?.string == "rollcall.gateway", "\(line)")
                let reason = try #require(answer.json["error"]?["message"]?.string)
                #expect(line["message"]?.string?.contains(reason) == true, "\(line)")
            }
            gate.open()
            #expect(try await held.response().status == 200)
        }
    }

    @Test(
        "a setting that cannot be is refused in one sentence that names it, with 64",
        arguments: [
            (["--port", "99999"], ["--port", "65535"]), (["--port", "http"], ["--port"]),
            (["--grace", "-1"], ["--grace"]),
            (["--grace", "soon"], ["--grace"]), (["--store", "postgres://x"], ["--store", "sqlite:"]),
            (["--store", "sqlite:"], ["--store"]), (["--log-level", "loud"], ["--log-level", "debug"]),
            (["--log-format", "xml"], ["--log-format", "json"]),
            (["--upstream", "localhost:8000"], ["--upstream", "http"]),
            (["--allow-upstream", "ftp://x"], ["--allow-upstream"]),
            (["--allow-upstream", "https://x=NO_SUCH_VARIABLE"], ["NO_SUCH_VARIABLE"]),
            (["--api-keys-file", "/no/such/file"], ["--api-keys-file", "/no/such/file"]),
            (["--upstream-key-file", "/no/such/file"], ["--upstream-key-file"]),
            (["--host", "0.0.0.0"], ["--host", "0.0.0.0", "ROLLCALL_API_KEYS"]),
            (["--retain", "30"], ["--retain", "30d"]), (["--retain", "-1d"], ["--retain"]),
            (["--no-such-flag"], ["--no-such-flag"]), (["unexpected"], ["unexpected"]),
        ])
    func refusals(arguments: [String], words: [String]) async throws {
        let gateway = try RollcallProcess("gateway", arguments)
        #expect(try await gateway.exitCode() == 64)
        for word in words { #expect(gateway.errors.contains(word), "\(gateway.errors)") }
        #expect(gateway.output.isEmpty)
    }

    @Test("listed keys are the account default's, those of the file their lines', and both count") func keys()
        async throws
    {
        try await Self.withFolder { folder in
            let file = folder.appending(path: "keys").path
            try "k1 one\nk2\n".write(toFile: file, atomically: true, encoding: .utf8)
            let gateway = try RollcallProcess(
                "gateway", ["--port", "0", "--store", Self.store(folder), "--api-keys-file", file],
                variables: ["ROLLCALL_API_KEYS": "k1,k3,k4"])
            _ = try await gateway.ready()
            func bearer(_ key: String) -> [String] { ["authorization: Bearer \(key)"] }
            let line = GatewayFixture.line("r", code: 100).description
            #expect(try await gateway.request("POST", "/logs", headers: bearer("k3"), body: line).status == 200)
            for (key, code) in [("k1", nil), ("k2", 100), ("k3", 100), ("k4", 100)] as [(String, Int?)] {
                let status = try await gateway.request("GET", "/status?rollout_id=r", headers: bearer(key))
                #expect(status.status == 200 && status.json["status"]?["code"]?.int == code, "\(key)")
            }
            #expect(try await gateway.request("GET", "/status?rollout_id=r", headers: bearer("k5")).status == 401)
            gateway.signal(SIGTERM)
            #expect(try await gateway.exitCode() == 0)
        }
    }

    @Test("a caller's Authorization goes on without keys, and with keys by the flag or the variable alone")
    func authorization() async throws {
        let key = "Bearer key-1"
        for (arguments, variables, expected) in [
            ([], [:], key), ([], ["ROLLCALL_API_KEYS": "key-1"], nil),
            (["--forward-authorization"], ["ROLLCALL_API_KEYS": "key-1"], key),
            ([], ["ROLLCALL_API_KEYS": "key-1", "ROLLCALL_FORWARD_AUTHORIZATION": "1"], key),
            ([], ["ROLLCALL_API_KEYS": "key-1", "ROLLCALL_FORWARD_AUTHORIZATION": "0"], nil),
        ] as [([String], [String: String], String?)] {
            try await Self.withFolder { folder in
                try await ScriptedHTTPServer.with({ _ in .json(GatewayFixture.completion("hello")) }) { upstream in
                    let gateway = try RollcallProcess(
                        "gateway",
                        ["--port", "0", "--store", Self.store(folder), "--upstream", upstream.url] + arguments,
                        variables: variables)
                    _ = try await gateway.ready()
                    let answer = try await gateway.request(
                        "POST", LimitedGateway.path("r"), headers: ["authorization: \(key)"],
                        body: LimitedGateway.call)
                    #expect(answer.status == 200)
                    #expect(upstream.requests.map { $0.header("authorization") } == [expected], "\(arguments)")
                    gateway.signal(SIGTERM)
                    #expect(try await gateway.exitCode() == 0)
                }
            }
        }
    }

    @Test("every flag is explained") func help() async throws {
        let gateway = try RollcallProcess("gateway", ["--help"])
        #expect(try await gateway.exitCode() == 0)
        for flag in [
            "--host", "--port", "--store", "--upstream", "--allow-upstream", "--upstream-key-file", "--api-keys-file",
            "--forward-authorization",
            "--grace", "--retain", "--log-level", "--log-format", "ROLLCALL_UPSTREAM_KEY", "ROLLCALL_API_KEYS",
        ] {
            #expect(gateway.output.contains(flag), "\(flag)")
        }
    }

    @Test("a second gateway on the same file refuses to start, and one on the same port too") func twice() async throws
    {
        try await Self.withFolder { folder in
            let first = try RollcallProcess("gateway", ["--port", "0", "--store", Self.store(folder)])
            let port = try await first.ready()["port"]?.int ?? 0
            let second = try RollcallProcess("gateway", ["--port", "0", "--store", Self.store(folder)])
            #expect(try await second.exitCode() == 1)
            #expect(second.errors.contains("traces.sqlite"), "\(second.errors)")
            let third = try RollcallProcess(
                "gateway", ["--port", "\(port)", "--store", "sqlite:\(folder.path)/other.sqlite"])
            #expect(try await third.exitCode() == 1)
            #expect(third.errors.contains("--port"), "\(third.errors)")
            first.signal(SIGTERM)
            #expect(try await first.exitCode() == 0)
            let next = try RollcallProcess("gateway", ["--port", "0", "--store", Self.store(folder)])
            _ = try await next.ready()
            next.signal(SIGTERM)
            #expect(try await next.exitCode() == 0)
        }
    }

    @Test("what is captured is set by flag or variable, and a setting that cannot be is told of") func capture()
        async throws
    {
        try await Self.withFolder { folder in
            let store = ["--port", "0", "--store", Self.store(folder)]
            for (arguments, variables, told) in [
                (["--capture", "all"], [:], "--capture: 'all' is none of none, logprobs, tokens"),
                (["--capture", "tokens"], [:], "--profile"), ([], ["ROLLCALL_CAPTURE": "tokens"], "--profile"),
                (["--profile", "tgi"], [:], "--profile: 'tgi' is none of"),
            ] as [([String], [String: String], String)] {
                let gateway = try RollcallProcess("gateway", store + arguments, variables: variables)
                #expect(try await gateway.exitCode() != 0)
                #expect(gateway.errors.contains(told), "\(gateway.errors)")
            }
            let completion = GatewayFixture.completion("hello")
            try await ScriptedHTTPServer.with({ _ in .json(completion) }) { upstream in
                let gateway = try RollcallProcess(
                    "gateway", store + ["--upstream", upstream.url + "/v1", "--capture", "tokens"],
                    variables: ["ROLLCALL_PROFILE": "http://nowhere=vllm, sglang"])
                _ = try await gateway.ready()
                let path = "/rollout_id/r/invocation_id/i/experiment_id/e/run_id/u/row_id/w/chat/completions"
                let call = #"{"model":"m","messages":[{"role":"user","content":"hi"}]}"#
                #expect(try await gateway.request("POST", path, body: call).json == completion)
                #expect(upstream.requests.first?.json?["return_meta_info"]?.bool == true)
                let traces = try await gateway.request("GET", "/v1/traces?tags=rollout_id:r").json["traces"]
                let missing = traces?[0]?["metadata"]?["capture"]?["missing"]
                #expect(missing == ["logprobs", "completion_token_ids", "prompt_token_ids"])
                gateway.signal(SIGTERM)
                #expect(try await gateway.exitCode() == 0)
            }
        }
    }

    @Test("killed under load and started again it has every acknowledged call and log") func killed() async throws {
        try await Self.withFolder { folder in
            try await ScriptedHTTPServer.with({ request in
                .json(GatewayFixture.completion("to \(request.json?["messages"]?[0]?["content"]?.string ?? "")"))
            }) { upstream in
                let arguments = ["--port", "0", "--store", Self.store(folder), "--upstream", upstream.url + "/v1"]
                let first = try RollcallProcess("gateway", arguments)
                _ = try await first.ready()
                let acknowledged = await Self.load(first)
                #expect(acknowledged.calls.count > 10)
                #expect(acknowledged.logs.count > 10)
                #expect(try await first.exitCode() != 0)
                let second = try RollcallProcess("gateway", arguments)
                _ = try await second.ready()
                for call in acknowledged.calls {
                    let traces = try await second.request("GET", "/v1/traces?tags=rollout_id:\(call)").json["traces"]
                    #expect(traces?[0]?["output"]?["content"]?.string == "to \(call)")
                }
                for log in acknowledged.logs {
                    let entries = try await second.request("GET", "/logs?tags=rollout_id:\(log)").json["entries"]
                    #expect(entries?[0]?["message"]?.string == log)
                    let status = try await second.request("GET", "/status?rollout_id=\(log)").json["status"]
                    #expect(status?["code"]?.int == 100)
                }
                second.signal(SIGTERM)
                #expect(try await second.exitCode() == 0)
            }
        }
    }

    /// Calls and logs from several clients until the gateway is killed in the middle of it.
    private static func load(_ gateway: RollcallProcess) async -> (calls: [String], logs: [String]) {
        await withTaskGroup(of: (calls: [String], logs: [String]).self) { group in
            for client in 0..<8 {
                group.addTask {
                    var calls: [String] = []
                    var logs: [String] = []
                    for number in 0..<10_000 {
                        let name = "r\(client)-\(number)"
                        let path =
                            "/rollout_id/\(name)/invocation_id/i/experiment_id/e/run_id/u/row_id/w/chat/completions"
                        let call = #"{"model":"m","messages":[{"role":"user","content":"\#(name)"}]}"#
                        guard let answer = try? await gateway.request("POST", path, body: call) else { break }
                        if answer.status == 200 { calls.append(name) }
                        let line = GatewayFixture.line("l\(name)", code: 100, message: "l\(name)")
                        guard let answer = try? await gateway.request("POST", "/logs", body: line.description) else {
                            break
                        }
                        if answer.status == 200 { logs.append("l\(name)") }
                        if client == 0, number == 20 { gateway.signal(SIGKILL) }
                    }
                    return (calls, logs)
                }
            }
            var all: (calls: [String], logs: [String]) = ([], [])
            for await part in group {
                all.calls += part.calls
                all.logs += part.logs
            }
            return all
        }
    }
}
