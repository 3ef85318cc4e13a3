// Part of Rollcall. SPDX-License-Identifier: Apache-2.0

import EvalProtocol
import NIOHTTP1
import RolloutEnvironment
import Synchronization
import TestSupport
import Testing
import WireJSON

@Suite("RolloutEnvironment: /init answered once the rollout has ended") struct InlineTests {
    private static var configuration: RolloutEnvironment.Configuration {
        var configuration = RolloutEnvironment.Configuration.test
        configuration.answering = .onceEnded
        return configuration
    }

    @Test(
        "the answer comes when the gateway has every line, and is 200 however the rollout ended",
        arguments: [true, false])
    func delivered(succeeds: Bool) async throws {
        struct Broken: Error {}
        try await FakeGateway.with { gateway in
            gateway.onLine { line in
                // What takes longest is the last line.
                if line.code?.isTerminal == true { try? await Task.sleep(for: .milliseconds(200)) }
                return FakeGateway.taken
            }
            let environment = RolloutEnvironment(Self.configuration) { rollout in
                for index in 0..<20 { rollout.logger.info("line \(index)") }
                _ = try await rollout.model.complete(rollout.messages)
                if !succeeds { throw Broken() }
                return .finished(reward: 1)
            }
            // No server and no service around it: a function's own.
            let answer = await environment.handle(InitRequest.test("a", gateway: gateway.url).json.serialized())
            #expect(answer.status == 200)
            let json = try JSONValue(parsing: answer.body)
            #expect(json["status"] == "ended")
            #expect(json["receipt"]?["status"]?["code"]?.int == (succeeds ? 100 : 13))
            #expect(gateway.terminal(of: "a") == [succeeds ? .finished : .internal])
            #expect(gateway.lines(of: "a").count == 22)
        }
    }

    @Test("whoever joins waits, too") func joining() async throws {
        let release = Latchlike()
        let starts = Atomic(0)
        try await FakeGateway.with { gateway in
            let environment = RolloutEnvironment(Self.configuration) { _ in
                starts.add(1, ordering: .relaxed)
                await release.wait()
                return .finished("done")
            }
            try await ServedEnvironment.with(environment) { environment in
                try await withThrowingTaskGroup(of: JSONValue?.self) { group in
                    for _ in 0..<3 {
                        group.addTask { try await environment.initialize(.test("a", gateway: gateway.url)).json }
                    }
                    try await eventually("all have come") { gateway.codes(of: "a").count >= 1 }
                    release.open()
                    for try await json in group where json?["status"] == "ended" {
                        #expect(json?["receipt"]?["status"]?["message"] == "done")
                    }
                }
            }
            #expect(gateway.terminal(of: "a") == Array(repeating: .finished, count: starts.load(ordering: .relaxed)))
        }
    }

    @Test("503 when the end cannot be delivered") func undelivered() async throws {
        try await FakeGateway.with { gateway in
            gateway.onLine { line in
                line.code?.isTerminal == true ? .json(["detail": "busy"], status: 503) : FakeGateway.taken
            }
            var configuration = Self.configuration
            configuration.flushTimeout = .milliseconds(200)
            let environment = RolloutEnvironment(configuration) { _ in .finished() }
            let answer = await environment.handle(InitRequest.test("a", gateway: gateway.url).json.serialized())
            #expect(answer.status == 503)
            #expect(answer.headers.contains { $0.name == "retry-after" })
            #expect(String(decoding: answer.body, as: UTF8.self).contains("flushTimeout"))
        }
    }
}
