// Part of Rollcall. SPDX-License-Identifier: Apache-2.0

import AsyncHTTPClient
import EvalProtocol
import Foundation
import NIOCore
import NIOHTTP1
import RolloutEnvironment
import RolloutTracing
import Synchronization
import TestSupport
import Testing
import WireJSON

@Suite("Integration: an environment that is killed and started again") struct KilledEnvironmentTests {
    private static func metadata(_ rollout: String) -> RolloutMetadata {
        RolloutMetadata(invocationID: "i", experimentID: "e", rolloutID: rollout, runID: "u", rowID: "w")
    }

    /// - Returns: What `/init` answered.
    @discardableResult
    private static func initialize(
        _ url: String, _ rollout: String, gateway: String, attempt: AttemptID? = nil
    ) async throws -> JSONValue {
        var metadata = metadata(rollout)
        metadata.attempt = attempt
        let body = InitRequest(
            completionParameters: CompletionParameters(model: "m"), messages: [.user("What is 1 plus 1?")],
            modelBaseURL: TaggedURL.make(gatewayURL: gateway, metadata: metadata), metadata: metadata)
        var request = HTTPClientRequest(url: url + "/init")
        request.method = .POST
        request.body = .bytes(ByteBuffer(bytes: body.json.serialized()))
        let answer = try await HTTPClient.shared.execute(request, timeout: .seconds(20))
        #expect(answer.status == .ok)
        return try JSONValue(parsing: Array(buffer: try await answer.body.collect(upTo: 1 << 20)))
    }

    private static func withFolder<Result>(_ body: (URL) async throws -> Result) async throws -> Result {
        let folder = FileManager.default.temporaryDirectory.appending(path: "killed-\(UUID().uuidString)")
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(at: folder) }
        return try await body(folder)
    }

    private static func start(journal: URL, gateway: String) throws -> RollcallProcess {
        try RollcallProcess(
            program: "CalculatorEnvironment", ["--host", "127.0.0.1", "--port", "0", "--journal", journal.path],
            variables: ["FW_TRACING_GATEWAY_BASE_URL": gateway])
    }

    @Test("reports the rollouts it lost, each once, as soon as it is there again") func killed() async throws {
        try await Self.withFolder { folder in
            let journal = folder.appending(path: "journal")
            try await Loop.with(model: Self.silence) { _ in
                .finished()
            } run: { loop in
                let gateway = TracingClient(gatewayURL: loop.gatewayURL)
                let rollouts = (0..<5).map { "lost-\($0)" }
                // Twice: what was reported the first time must not be reported again.
                for round in 0..<2 {
                    let environment = try Self.start(journal: journal, gateway: loop.gatewayURL)
                    let url = try await environment.ready()["url"]?.string ?? ""
                    let mine = rollouts.map { "\($0)-\(round)" }
                    for rollout in mine { try await Self.initialize(url, rollout, gateway: loop.gatewayURL) }
                    try await eventually("running") {
                        try await gateway.status(of: mine[4]).status?.code == .running
                    }
                    environment.signal(SIGKILL)
                    #expect(try await environment.exitCode() == -9)
                }
                let environment = try Self.start(journal: journal, gateway: loop.gatewayURL)
                _ = try await environment.ready()
                for round in 0..<2 {
                    for rollout in rollouts {
                        try await eventually("end of \(rollout)-\(round)") {
                            try await gateway.status(of: "\(rollout)-\(round)").status?.code == .unavailable
                        }
                        let status = try #require(try await gateway.status(of: "\(rollout)-\(round)").status)
                        #expect(FailureReason(status) == .environmentRestarted, "\(status)")
                        let ends = try await gateway.logs(of: "\(rollout)-\(round)").compactMap(\.status?.code)
                            .filter(\.isTerminal)
                        #expect(ends == [.unavailable])
                    }
                }
                environment.signal(SIGTERM)
                #expect(try await environment.exitCode() == 0)
            }
        }
    }

    /// A server that never answers.
    @Sendable private static func silence(_ request: ScriptedHTTPServer.Request) async -> ScriptedHTTPServer.Response {
        try? await Task.sleep(for: .seconds(3_600))
        return .json([:], status: 500)
    }

    @Test("begins an attempt that its gateway had not heard of before the kill, beside others that it knows")
    func killedBeforeRunning() async throws {
        try await Self.withFolder { folder in
            let journal = folder.appending(path: "journal")
            try await Loop.with(model: { await ModelAnswers.echo($0) }) { _ in
                .finished()
            } run: { loop in
                let gateway = TracingClient(gatewayURL: loop.gatewayURL)
                let (first, second) = (AttemptID.random(), AttemptID.random())
                // In front of the gateway, and for a while it lets nothing through.
                let isHeld = Mutex(false)
                let front = try await ScriptedHTTPServer.start { request in
                    if isHeld.withLock({ $0 }) { return await Self.silence(request) }
                    return (try? await Self.forward(request, to: loop.gatewayURL)) ?? .json([:], status: 502)
                }
                func end(of attempt: AttemptID) async throws -> StatusCode? {
                    try await eventually("end of \(attempt)") {
                        try await gateway.status(of: "again", attempt: attempt).status?.code.isTerminal == true
                    }
                    return try await gateway.status(of: "again", attempt: attempt).status?.code
                }

                var environment = try Self.start(journal: journal, gateway: front.url)
                var url = try await environment.ready()["url"]?.string ?? ""
                try await Self.initialize(url, "again", gateway: front.url, attempt: first)
                #expect(try await end(of: first) == .finished)
                isHeld.withLock { $0 = true }
                let count = front.requests.count
                let cut = Task { [url] in
                    try await Self.initialize(url, "again", gateway: front.url, attempt: second)
                }
                try await front.waitForRequests(count + 1)
                environment.signal(SIGKILL)
                #expect(try await environment.exitCode() == -9)
                await #expect(throws: (any Error).self) { try await cut.value }
                isHeld.withLock { $0 = false }

                environment = try Self.start(journal: journal, gateway: front.url)
                url = try await environment.ready()["url"]?.string ?? ""
                let answer = try await Self.initialize(url, "again", gateway: front.url, attempt: second)
                #expect(answer["status"] == "accepted")
                #expect(try await end(of: second) == .finished)
                environment.signal(SIGTERM)
                #expect(try await environment.exitCode() == 0)
                await front.stop()
            }
        }
    }

    private static func forward(
        _ request: ScriptedHTTPServer.Request, to gateway: String
    ) async throws -> ScriptedHTTPServer.Response {
        var forwarded = HTTPClientRequest(url: gateway + request.uri)
        forwarded.method = HTTPMethod(rawValue: request.method)
        forwarded.body = .bytes(ByteBuffer(bytes: request.body))
        let answer = try await HTTPClient.shared.execute(forwarded, timeout: .seconds(20))
        let body = try await answer.body.collect(upTo: 1 << 20)
        return .json(try JSONValue(parsing: Array(buffer: body)), status: Int(answer.status.code))
    }
}
