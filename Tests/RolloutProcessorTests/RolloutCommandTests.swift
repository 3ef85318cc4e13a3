// Part of Rollcall. SPDX-License-Identifier: Apache-2.0

import EvalProtocol
import Foundation
import TestSupport
import Testing
import WireJSON

// One process at a time: they would take each other the processor, and other tests their time.
@Suite("rollcall rollout: the command", .serialized)
struct RolloutCommandTests {
    private static func answering(_ gateway: FakeGateway) -> @Sendable (InitRequest, Int) async -> FakeWorld.Response {
        { request, _ in
            gateway.report(.running, of: request.metadata)
            gateway.record(request.messages + [.assistant("\u{1B}[31m42")], of: request.metadata.rolloutID)
            let failing = request.messages.last?.text == "fail"
            gateway.report(failing ? .error("it broke") : .finished("done"), of: request.metadata)
            return .json([:])
        }
    }

    @Test("a message is rolled out and told readably, and the exit code is 0")
    func message() async throws {
        let gateway = FakeGateway(hasExtensions: true)
        try await FakeWorld.with(gateway: gateway, initAnswer: Self.answering(gateway)) { world in
            let outcome = try await BuiltCommand.run(
                [
                    "rollout", "--environment", world.environment.url, "--gateway", world.gatewayServer.url + "/v1",
                    "--model", "m", "--message", "6 times 7?", "--param", "temperature=0.5", "--param", "user=bob",
                    "--model-url", "http://up:1/v1",
                ], variables: ["EP_REMOTE_API_KEY": "k1", "FIREWORKS_API_KEY": "k2"])
            #expect(outcome.code == 0, "\(outcome.errors)")
            #expect(outcome.output.contains("FINISHED  row row-"))
            #expect(outcome.output.contains("  assistant   \\u{1b}[31m42"))
            #expect(!outcome.output.contains("\u{1B}"))
            #expect(outcome.errors.contains("1 rollout in "))
            #expect(!outcome.errors.contains("\r"))
            let sent = try #require(world.inits.first)
            #expect(sent.apiKey == "k1")
            #expect(sent.completionParameters.additional["temperature"] == 0.5)
            #expect(sent.completionParameters.additional["user"] == "bob")
            #expect(sent.completionParameters.baseURL == "http://up:1/v1")
        }
    }

    @Test("a data set goes through so many runs, prints a row a line, and one failure is exit code 1")
    func dataset() async throws {
        let gateway = FakeGateway(hasExtensions: true)
        let path = FileManager.default.temporaryDirectory.appendingPathComponent("\(UUID()).jsonl").path
        try Data(
            """
            {"messages": [{"role": "user", "content": "one"}], "input_metadata": {"row_id": "first"}}
            {"messages": [{"role": "user", "content": "fail"}], "ground_truth": "42"}
            """.utf8
        ).write(to: URL(fileURLWithPath: path))
        defer { try? FileManager.default.removeItem(atPath: path) }
        try await FakeWorld.with(gateway: gateway, initAnswer: Self.answering(gateway)) { world in
            let outcome = try await BuiltCommand.run(
                ["rollout", "--model", "m", "--dataset", path, "--runs", "2", "--json"],
                variables: [
                    "EP_REMOTE_ROLLOUT_PROCESSOR_BASE_URL": world.environment.url,
                    "EP_MODEL_BASE_URL": world.gatewayServer.url, "FIREWORKS_API_KEY": "k2",
                ])
            #expect(outcome.code == 1)
            let rows = try outcome.lines.map { try EvaluationRow(parsing: Array($0.utf8)) }
            #expect(rows.count == 4)
            #expect(rows.count { $0.inputMetadata.rowID == "first" && $0.rolloutStatus == .finished("done") } == 2)
            #expect(rows.count { $0.groundTruth == "42" && $0.rolloutStatus == .error("it broke") } == 2)
            #expect(rows.allSatisfy { $0.messages.count == 2 })
            #expect(Set(rows.compactMap(\.executionMetadata.runID)).count == 2)
            #expect(world.inits.first?.apiKey == "k2")
        }
    }

    @Test(
        "wrong use is answered in a sentence that names the flag, and starts nothing",
        arguments: [
            (["--model", "m", "--message", "x"], "--environment"),
            (["--environment", "http://h", "--model", "m"], "--message"),
            (["--environment", "http://h", "--model", "m", "--message", "x", "--dataset", "y"], "--dataset"),
            (["--environment", "http://h", "--message", "x"], "--model"),
            (["--environment", "h:80", "--model", "m", "--message", "x"], "--environment"),
            (["--environment", "http://h", "--gateway", "g", "--model", "m", "--message", "x"], "--gateway"),
            (["--environment", "http://h", "--model", "m", "--message", "x", "--param", "abc"], "--param"),
            (["--environment", "http://h", "--model", "m", "--message", "x", "--runs", "0"], "--runs"),
            (["--environment", "http://h", "--model", "m", "--message", "x", "--concurrency", "0"], "--concurrency"),
            (["--environment", "http://h", "--model", "m", "--message", "x", "--timeout", "-1"], "--timeout"),
            (["--environment", "http://h", "--model", "m", "--message", "x", "--timeout", "nan"], "--timeout"),
            (["--environment", "http://h", "--model", "m", "--dataset", "/nowhere.jsonl"], "/nowhere.jsonl"),
        ])
    func wrongUse(_ arguments: [String], _ named: String) async throws {
        let outcome = try await BuiltCommand.run(["rollout"] + arguments)
        #expect(outcome.code != 0)
        #expect(outcome.errors.contains(named))
        #expect(outcome.output.isEmpty)
    }

    @Test("a bad line of a data set is named before any rollout begins")
    func badLine() async throws {
        let path = FileManager.default.temporaryDirectory.appendingPathComponent("\(UUID()).jsonl").path
        try Data("{\"messages\": []}\n{\"messages\": 7}\n".utf8).write(to: URL(fileURLWithPath: path))
        defer { try? FileManager.default.removeItem(atPath: path) }
        try await FakeWorld.with { _, _ in
            .json([:])
        } run: { world in
            let outcome = try await BuiltCommand.run([
                "rollout", "--environment", world.environment.url, "--model", "m", "--dataset", path,
            ])
            #expect(outcome.code != 0)
            #expect(outcome.errors.contains("\(path), line 2: messages"))
            #expect(world.inits.isEmpty)
        }
    }

    @Test("an environment that is not there is told with its address, and the exit code is 1")
    func noEnvironment() async throws {
        try await FakeWorld.with { _, _ in
            .json([:])
        } run: { world in
            await world.environment.stop()
            let outcome = try await BuiltCommand.run([
                "rollout", "--remote-server-url", world.environment.url, "--gateway", world.gatewayServer.url,
                "--model", "m", "--message", "x",
            ])
            #expect(outcome.code == 1)
            #expect(outcome.output.contains("UNAVAILABLE"))
            #expect(outcome.output.contains(world.environment.url))
        }
    }
}
