// Part of Rollcall. SPDX-License-Identifier: Apache-2.0

import EvalProtocol
import Foundation
import RolloutProcessor
import RolloutTracing
import Synchronization
import TestSupport
import Testing
import WireJSON

@Suite("Example: MountedAgent") struct MountedAgentTests {
    /// Calls the tool for tea, then says what it gave.
    @Sendable private static func model(_ request: ScriptedHTTPServer.Request) async -> ScriptedHTTPServer.Response {
        let last = request.json?["messages"]?.array?.last
        guard last?["role"] == "user", let name = request.json?["tools"]?.array?.first?["function"]?["name"] else {
            return ExampleWorld.completion("It costs \(last?["content"]?.string ?? "nothing").")
        }
        return ExampleWorld.completion(calling: name, arguments: #"{"product": "Tea"}"#)
    }

    @Test("the application keeps its routes, and the agent works on the application's own state")
    func shared() async throws {
        try await ExampleWorld.with("MountedAgent", answer: Self.model) { world in
            #expect(try await world.environment.request("GET", "/").text == "The shop is open.\n")
            #expect(try await world.environment.request("GET", "/products/tea").text == "350")
            #expect(try await world.environment.request("PUT", "/products/tea/price/425").status == 204)
            let row = try await world.process("What does tea cost?", path: "/agent")
            #expect(row.rolloutStatus.code == .finished, "\(row.rolloutStatus)")
            #expect(row.messages.map(\.role) == ["user", "assistant", "tool", "assistant"])
            #expect(row.messages.last?.text == "It costs 425.")
            #expect(try await world.environment.request("GET", "/agent/health").text.contains("healthy"))
            // Nothing of the environment's stands outside its group, and what is unknown stays the application's.
            #expect(try await world.environment.request("POST", "/init", body: "{}").status == 404)
            #expect(try await world.environment.request("POST", "/", body: "{}").status != 200)
            #expect(try await world.environment.request("GET", "/products/coffee").status == 404)
        }
    }

    @Test("told to stop, it lets a running rollout end while the application still answers, and takes no more")
    func graceful() async throws {
        let isOpen = Mutex(false)
        try await ExampleWorld.with("MountedAgent") { request in
            try? await eventually("an open model") { isOpen.withLock { $0 } }
            return await Self.model(request)
        } run: { world in
            async let row = world.process("What does tea cost?", path: "/agent")
            try await world.model.waitForRequests(1)
            world.environment.signal(SIGTERM)
            // Before the signal has come through it is a rollout as any other.
            let other = String(decoding: world.request("other", "Hello").serialized(), as: UTF8.self)
            try await eventually("a refusal of new rollouts") {
                try await world.environment.request("POST", "/agent/init", body: other).status == 503
            }
            #expect(try await world.environment.request("GET", "/products/cup").text == "900")
            isOpen.withLock { $0 = true }
            #expect(try await row.rolloutStatus.code == .finished)
            #expect(try await row.messages.last?.text == "It costs 350.")
            #expect(try await world.environment.exitCode() == 0, "\(world.environment.errors)")
        }
    }
}
