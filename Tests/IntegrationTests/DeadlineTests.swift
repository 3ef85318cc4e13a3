// Part of Rollcall. SPDX-License-Identifier: Apache-2.0

import AsyncHTTPClient
import EvalProtocol
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

    /// More than the connections that HTTP clients make by themselves.
    private static let many = 600

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

    @Test("cancelling half of the rollouts frees their places and stops their calls, and no others") func half()
        async throws
    {
        OpenFiles.raiseLimit()
        let model = EndlessModel()
        var configuration = Loop.quietConfiguration()
        configuration.maximumConcurrentRollouts = 1_000
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
            var request = HTTPClientRequest(url: loop.environmentURL + "/cancel")
            request.method = .POST
            let ids = JSONValue.array((0..<Self.many / 2).map { .string("r\($0)") })
            request.body = .bytes(ByteBuffer(bytes: JSONValue.object(["rollout_id": ids]).serialized()))
            #expect(try await HTTPClient.shared.execute(request, timeout: .seconds(20)).status == .ok)
            try await eventually("half of the calls torn down") {
                model.tornDown.load(ordering: .relaxed) == Self.many / 2
            }
            let health = try await HTTPClient.shared.execute(
                HTTPClientRequest(url: loop.environmentURL + "/health"), timeout: .seconds(20))
            let body = [UInt8](try await health.body.collect(upTo: 1 << 16).readableBytesView)
            #expect(try JSONValue(parsing: body)["running"] == .number(Self.many / 2))
            #expect(model.tornDown.load(ordering: .relaxed) == Self.many / 2)
        }
    }
}
