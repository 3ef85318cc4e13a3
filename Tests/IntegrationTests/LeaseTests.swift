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

@Suite("Integration: leases") struct LeaseTests {
    private static func configuration(lease: Duration) -> RolloutEnvironment.Configuration {
        var configuration = Loop.quietConfiguration()
        configuration.lease = lease
        return configuration
    }

    private static func initialize(_ loop: Loop, _ metadata: RolloutMetadata) async throws {
        var request = HTTPClientRequest(url: loop.environmentURL + "/init")
        request.method = .POST
        let body: JSONValue = [
            "completion_params": ["model": "m"], "messages": [["role": "user", "content": "hello"]],
            "metadata": metadata.json, "model_base_url": .string(loop.gatewayURL),
        ]
        request.body = .bytes(ByteBuffer(bytes: body.serialized()))
        let answer = try await HTTPClient.shared.execute(request, timeout: .seconds(20))
        #expect(answer.status == .ok)
    }

    private static func metadata(_ rollout: String) -> RolloutMetadata {
        RolloutMetadata(invocationID: "i", experimentID: "e", rolloutID: rollout, runID: "u", rowID: "w")
    }

    @Test("the environment renews its leases for as long as a rollout runs, and no renewal is a line")
    func renewed() async throws {
        let mayEnd = Atomic(false)
        try await Loop.with(model: ModelAnswers.echo, configuration: Self.configuration(lease: .milliseconds(600))) {
            _ in
            while !mayEnd.load(ordering: .relaxed) { try await Task.sleep(for: .milliseconds(10)) }
            return .finished()
        } run: { loop in
            let gateway = TracingClient(gatewayURL: loop.gatewayURL)
            try await Self.initialize(loop, Self.metadata("renewed"))
            // Four leases long nothing else comes.
            try await Task.sleep(for: .milliseconds(2400))
            let page = try await gateway.rollout("renewed")
            #expect(page?["status"]?["code"]?.int == 101, "\(page ?? .null)")
            #expect(page?["attempts"]?[0]?["terms"]?["lease_seconds"]?.double == 0.6)
            #expect(page?["logs"]?.int == 1)
            mayEnd.store(true, ordering: .relaxed)
            try await eventually("end") { try await gateway.status(of: "renewed").status?.code == .finished }
        }
    }

    @Test("an agent whose rollout the gateway has ended learns it from the next renewal") func ended() async throws {
        let wasCancelled = Atomic(false)
        try await Loop.with(model: ModelAnswers.echo, configuration: Self.configuration(lease: .milliseconds(900))) {
            _ in
            do {
                try await Task.sleep(for: .seconds(3600))
            } catch {
                wasCancelled.store(true, ordering: .relaxed)
                throw error
            }
            return .finished()
        } run: { loop in
            let gateway = TracingClient(gatewayURL: loop.gatewayURL)
            _ = try await gateway.register([Self.metadata("ended")], deadline: .seconds(1))
            try await Self.initialize(loop, Self.metadata("ended"))
            try await eventually("cancelled agent") { wasCancelled.load(ordering: .relaxed) }
            #expect(try await gateway.status(of: "ended").status?.code == .deadlineExceeded)
        }
    }
}
