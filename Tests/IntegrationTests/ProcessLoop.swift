// Part of Rollcall. SPDX-License-Identifier: Apache-2.0

import AsyncHTTPClient
import EvalProtocol
import Foundation
import NIOCore
import NIOHTTP1
import RolloutEnvironment
import RolloutTracing
import TestSupport
import WireJSON

/// A command as the agent of an environment, between a real gateway and its callers.
struct ProcessLoop {
    let loop: Loop
    let agent: ProcessRollout
    /// A text that stands among the variables of every process of this loop, and of no other.
    let mark: String

    var gateway: TracingClient { TracingClient(gatewayURL: loop.gatewayURL) }

    static func with(_ command: [String], run body: @escaping @Sendable (ProcessLoop) async throws -> Void) async throws
    {
        try await with(command, configure: { _ in }, run: body)
    }

    static func with(
        _ command: [String], configure: (inout ProcessRollout.Configuration) -> Void,
        timeout: Duration? = nil, environment: RolloutEnvironment.Configuration = Loop.quietConfiguration(),
        run body: @escaping @Sendable (ProcessLoop) async throws -> Void
    ) async throws {
        var configuration = ProcessRollout.Configuration()
        configuration.terminationGrace = .milliseconds(300)
        configuration.variables["TEST_MARK"] = UUID().uuidString
        configure(&configuration)
        let mark = configuration.variables["TEST_MARK"] ?? ""
        let agent = try ProcessRollout(command, configuration: configuration)
        var environment = environment
        environment.timeout = timeout ?? environment.timeout
        try await Loop.with(model: ModelAnswers.echo, configuration: environment, agent: agent.run) { loop in
            try await body(ProcessLoop(loop: loop, agent: agent, mark: mark))
        }
    }

    static func python(_ code: String) -> [String] { ["python3", "-c", code] }
    static func shell(_ code: String) -> [String] { ["sh", "-c", code] }

    static func metadata(_ rolloutID: String) -> RolloutMetadata {
        RolloutMetadata(invocationID: "i", experimentID: "e", rolloutID: rolloutID, runID: "u", rowID: "row/1")
    }

    /// Starts a rollout of one user message.
    func start(_ rolloutID: String, _ text: String = "hello", key: String? = "caller-key-1234") async throws {
        let metadata = Self.metadata(rolloutID)
        let request = InitRequest(
            completionParameters: CompletionParameters(model: "scripted"), messages: [.user(text)],
            modelBaseURL: TaggedURL.make(gatewayURL: loop.gatewayURL, metadata: metadata), metadata: metadata,
            apiKey: key)
        let answer = try await post("/init", request.json)
        guard answer.status == 200 else { throw NeverHappened(description: "accepted rollout: \(answer.text)") }
    }

    func post(_ path: String, _ json: JSONValue) async throws -> (status: Int, text: String) {
        var request = HTTPClientRequest(url: loop.environmentURL + path)
        request.method = .POST
        request.body = .bytes(ByteBuffer(bytes: json.serialized()))
        let answer = try await HTTPClient.shared.execute(request, timeout: .seconds(20))
        let body = try await answer.body.collect(upTo: 1 << 20)
        return (Int(answer.status.code), String(buffer: body))
    }

    /// The terminal status.
    func end(of rolloutID: String) async throws -> RolloutStatus {
        let status = try await gateway.status(of: rolloutID, wait: .seconds(50))
        guard status.status?.isTerminal == true else {
            throw NeverHappened(description: "Within 50 s \(rolloutID) did not end.")
        }
        return status
    }

    /// The lines of the agent, oldest first: none that carries a status.
    func lines(of rolloutID: String, limit: Int = 1_000) async throws -> [LogEntry] {
        try await gateway.logs(of: rolloutID, limit: limit).reversed().filter { $0.status == nil }
    }

    /// One rollout from beginning to end.
    func roll(_ rolloutID: String = "r", _ text: String = "hello") async throws -> RolloutStatus {
        try await start(rolloutID, text)
        return try await end(of: rolloutID)
    }

    /// The processes of this loop that live.
    var processes: [Int32] {
        let names = (try? FileManager.default.contentsOfDirectory(atPath: "/proc")) ?? []
        let mark = Data("TEST_MARK=\(mark)".utf8)
        return names.compactMap { Int32($0) }.filter { identifier in
            let environ = FileManager.default.contents(atPath: "/proc/\(identifier)/environ")
            return environ?.range(of: mark) != nil
        }
    }
}
