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

@Suite("Integration: deadlines and cancellation reach the model", .serialized) struct DeadlineTests {
    /// A model that never gets to the end of an answer, and counts whom it works for.
    private final class EndlessModel: Sendable {
        let begun = Atomic(0)
        let tornDown = Atomic(0)

        func answer(_ request: ScriptedHTTPServer.Request) async -> ScriptedHTTPServer.Response {
            begun.add(1, ordering: .relaxed)
            // The server cancels the answer of a client that has gone.
            try? await Task.sleep(for: .seconds(3_600))
            tornDown.add(1, ordering: .relaxed)
            return .json([:], status: 500)
        }
    }

    /// Far more than the connections that HTTP clients make by themselves.
    private static let many = 1_000

    private static func initialize(_ loop: Loop, _ rolloutID: String, deadline: Double?) async throws {
        var ids = RolloutMetadata(invocationID: "i", experimentID: "e", rolloutID: rolloutID, runID: "u", rowID: "w")
        let url = TaggedURL.make(gatewayURL: loop.gatewayURL, metadata: ids)
        if let deadline { ids.additional["deadline_seconds"] = .number(deadline) }
        let body = InitRequest(
            completionParameters: CompletionParameters(model: "m"), messages: [.user("hello")], modelBaseURL: url,
            metadata: ids)
        var request = HTTPClientRequest(url: loop.environmentURL + "/init")
        request.method = .POST
        request.body = .bytes(ByteBuffer(bytes: body.json.serialized()))
        #expect(try await HTTPClient.shared.execute(request, timeout: .seconds(20)).status == .ok)
    }

    @Test("a passed deadline tears the model call down, through the gateway", arguments: [false, true])
    func deadline(isStreamed: Bool) async throws {
        let model = EndlessModel()
        try await Loop.with(model: { await model.answer($0) }) { rollout in
            if isStreamed {
                _ = try await rollout.model.stream(rollout.messages).collect()
            } else {
                _ = try await rollout.model.complete(rollout.messages)
            }
            return .finished()
        } run: { loop in
            let gateway = TracingClient(gatewayURL: loop.gatewayURL)
            try await Self.initialize(loop, "late", deadline: 3)
            try await eventually("the model's work") { model.begun.load(ordering: .relaxed) == 1 }
            try await eventually("end") {
                try await gateway.status(of: "late").status?.code == .deadlineExceeded
            }
            try await eventually("call torn down") { model.tornDown.load(ordering: .relaxed) == 1 }
            #expect(model.begun.load(ordering: .relaxed) == 1)
            let statuses = try await gateway.logs(of: "late").compactMap(\.status?.code)
            #expect(statuses.filter(\.isTerminal) == [.deadlineExceeded])
        }
    }

    private static func running(_ loop: Loop) async throws -> Int? {
        let health = try await HTTPClient.shared.execute(
            HTTPClientRequest(url: loop.environmentURL + "/health"), timeout: .seconds(20))
        return try JSONValue(parsing: [UInt8](try await health.body.collect(upTo: 1 << 16).readableBytesView))[
            "running"]?.int
    }

    @Test("cancelling 500 of 1,000 rollouts frees their places and stops their calls within a second, and no others")
    func half() async throws {
        OpenFiles.raiseLimit()
        let model = EndlessModel()
        let half = Self.many / 2
        var configuration = Loop.quietConfiguration()
        configuration.maximumConcurrentRollouts = Self.many
        try await Loop.with(model: { await model.answer($0) }, configuration: configuration) { rollout in
            _ = try await rollout.model.complete(rollout.messages)
            return .finished()
        } run: { loop in
            try await withThrowingTaskGroup(of: Void.self) { group in
                for index in 0..<Self.many {
                    group.addTask { try await Self.initialize(loop, "r\(index)", deadline: nil) }
                }
                try await group.waitForAll()
            }
            try await eventually("all calls") { model.begun.load(ordering: .relaxed) == Self.many }
            #expect(try await Self.running(loop) == Self.many)
            var request = HTTPClientRequest(url: loop.environmentURL + "/cancel")
            request.method = .POST
            let ids = JSONValue.array((0..<half).map { .string("r\($0)") })
            request.body = .bytes(ByteBuffer(bytes: JSONValue.object(["rollout_id": ids]).serialized()))
            let start = ContinuousClock.now
            #expect(try await HTTPClient.shared.execute(request, timeout: .seconds(20)).status == .ok)
            var (freed, stopped): (Duration?, Duration?)
            try await eventually("free places and calls torn down") {
                if stopped == nil, model.tornDown.load(ordering: .relaxed) == half { stopped = .now - start }
                if freed == nil, try await Self.running(loop) == half { freed = .now - start }
                return freed != nil && stopped != nil
            }
            let slowest = try max(#require(freed), #require(stopped)) / .seconds(1)
            print(
                "cancelling \(half) of \(Self.many): places free after \(freed?.description ?? ""), calls stopped after "
                    + "\(stopped?.description ?? ""), \(String(format: "%.1f", 1 / slowest)) times faster than a second"
            )
            #expect(slowest <= 1)
            // The others go on.
            try await Task.sleep(for: .milliseconds(200))
            #expect(try await Self.running(loop) == half)
            #expect(model.tornDown.load(ordering: .relaxed) == half)
            let gateway = TracingClient(gatewayURL: loop.gatewayURL)
            #expect(try await gateway.status(of: "r0").status?.code == .cancelled)
            #expect(try await gateway.status(of: "r\(half)").status?.code == .running)
        }
    }
}
