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

    private static func initialize(_ url: String, _ rollout: String, _ loop: Loop) async throws {
        let body = InitRequest(
            completionParameters: CompletionParameters(model: "m"), messages: [.user("What is 1 plus 1?")],
            modelBaseURL: TaggedURL.make(gatewayURL: loop.gatewayURL, metadata: metadata(rollout)),
            metadata: metadata(rollout))
        var request = HTTPClientRequest(url: url + "/init")
        request.method = .POST
        request.body = .bytes(ByteBuffer(bytes: body.json.serialized()))
        #expect(try await HTTPClient.shared.execute(request, timeout: .seconds(20)).status == .ok)
    }

    @Test("reports the rollouts it lost, each once, as soon as it is there again") func killed() async throws {
        let folder = FileManager.default.temporaryDirectory.appending(path: "killed-\(UUID().uuidString)")
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(at: folder) }
        let path = folder.appending(path: "journal").path
        try await Loop.with(model: { _ in
            try? await Task.sleep(for: .seconds(3_600))
            return .json([:], status: 500)
        }) { _ in
            .finished()
        } run: { loop in
            let gateway = TracingClient(gatewayURL: loop.gatewayURL)
            let rollouts = (0..<5).map { "lost-\($0)" }
            func start() throws -> RollcallProcess {
                try RollcallProcess(
                    program: "CalculatorEnvironment", ["--host", "127.0.0.1", "--port", "0", "--journal", path],
                    variables: ["FW_TRACING_GATEWAY_BASE_URL": loop.gatewayURL])
            }
            // Twice: what was reported the first time must not be reported again.
            for round in 0..<2 {
                let environment = try start()
                let url = try await environment.ready()["url"]?.string ?? ""
                let mine = rollouts.map { "\($0)-\(round)" }
                for rollout in mine { try await Self.initialize(url, rollout, loop) }
                try await eventually("running") {
                    try await gateway.status(of: mine[4]).status?.code == .running
                }
                environment.signal(SIGKILL)
                #expect(try await environment.exitCode() == -9)
            }
            let environment = try start()
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
