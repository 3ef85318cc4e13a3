// Part of Rollcall. SPDX-License-Identifier: Apache-2.0

import EvalProtocol
import RolloutProcessor
import Synchronization
import TestSupport
import Testing
import WireJSON

@Suite("RolloutProcessor: rollouts over sockets")
struct RolloutProcessorTests {
    /// Plays an agent that answers 42.
    private static func finish(_ request: InitRequest, at gateway: FakeGateway, extras: JSONObject = [:]) {
        gateway.report(.running, of: request.metadata)
        gateway.record(request.messages + [.assistant("42")], of: request.metadata.rolloutID)
        gateway.report(.finished("done"), of: request.metadata, extras: extras)
    }

    @Test("a row goes round with registration and events")
    func events() async throws {
        let gateway = FakeGateway(hasExtensions: true)
        try await FakeWorld.with(gateway: gateway) { request, _ in
            Self.finish(request, at: gateway, extras: ["score": 1])
            return .json([:])
        } run: { world in
            let row = try await world.rollout()
            #expect(row.rolloutStatus == .finished("done"))
            #expect(row.messages.map(\.text) == ["6 times 7?", "42"])
            #expect(row.executionMetadata.extra == ["score": 1])
            #expect(row.executionMetadata.usage == Usage(promptTokens: 3, completionTokens: 1))
            #expect(row.executionMetadata.rolloutDurationSeconds != nil)
            let sent = try #require(world.inits.first)
            #expect(sent.apiKey == "secret-key")
            #expect(gateway.registered.first?["metadata"]?["rollout_id"]?.string == sent.metadata.rolloutID)
            #expect(gateway.registered.first?["attempt"]?.string == sent.metadata.attempt?.description)
            let tagged = try #require(sent.modelBaseURL.flatMap { TaggedURL($0) })
            #expect(tagged.gatewayURL == world.gatewayServer.url)
            #expect(tagged.attempt == sent.metadata.attempt)
            #expect(world.gatewayServer.requests(to: "/v1/status").isEmpty)
        }
    }

    @Test("a gateway without events and attempts is polled, and message, details and extras come from the log")
    func polling() async throws {
        let gateway = FakeGateway(hasExtensions: false)
        try await FakeWorld.with(gateway: gateway) { request, _ in
            Self.finish(request, at: gateway, extras: ["score": 1, "level": "INFO"])
            return .json([:])
        } run: { world in
            let row = try await world.rollout()
            #expect(row.rolloutStatus == .finished("done"))
            #expect(row.executionMetadata.extra == ["score": 1])
            #expect(row.messages.count == 2)
            #expect(world.inits.first?.metadata.attempt == nil)
            #expect(world.inits.first?.modelBaseURL?.contains("/attempt/") == false)
        }
    }

    @Test("a status ends the rollout while /init is still open", arguments: [true, false])
    func inlineServer(_ hasExtensions: Bool) async throws {
        let gateway = FakeGateway(hasExtensions: hasExtensions)
        try await FakeWorld.with(gateway: gateway) { request, _ in
            Self.finish(request, at: gateway)
            // Answers only when the caller has gone.
            try? await Task.sleep(for: .seconds(120))
            return .json([:])
        } run: { world in
            let row = try await world.rollout()
            #expect(row.rolloutStatus.code == .finished)
        }
    }

    @Test("a 4xx answer ends the row with its text, and never shows the key")
    func refused() async throws {
        try await FakeWorld.with { request, _ in
            .json(
                [
                    "error": [
                        "message": .string(
                            "model \(request.completionParameters.model) with \(request.apiKey ?? "") is not served")
                    ]
                ], status: 422)
        } run: { world in
            let row = try await world.rollout()
            #expect(row.rolloutStatus.code == .invalidArgument)
            #expect(
                row.rolloutStatus.message
                    == "The environment refused /init (HTTP 422): model m with [redacted] is not served")
            #expect(row.messages.count == 1)
            #expect(world.inits.count == 1)
        }
    }

    @Test("a 5xx answer is tried again as a new attempt of the same rollout")
    func serverError() async throws {
        let gateway = FakeGateway(hasExtensions: true)
        try await FakeWorld.with(gateway: gateway) { request, number in
            if number == 1 { return .text("oops", status: 500) }
            Self.finish(request, at: gateway)
            return .json([:])
        } run: { world in
            let row = try await world.rollout()
            #expect(row.rolloutStatus.code == .finished)
            let inits = world.inits
            #expect(inits.count == 2)
            #expect(Set(inits.map(\.metadata.rolloutID)).count == 1)
            #expect(Set(inits.map(\.metadata.attempt)).count == 2)
        }
    }

    @Test("elsewhere a 5xx answer is tried again under a fresh rollout id")
    func serverErrorElsewhere() async throws {
        let gateway = FakeGateway(hasExtensions: false)
        try await FakeWorld.with(gateway: gateway) { request, number in
            if number == 1 { return .text("oops", status: 500) }
            Self.finish(request, at: gateway)
            return .json([:])
        } run: { world in
            let row = try await world.rollout()
            #expect(row.rolloutStatus.code == .finished)
            #expect(Set(world.inits.map(\.metadata.rolloutID)).count == 2)
            #expect(row.executionMetadata.rolloutID == world.inits.last?.metadata.rolloutID)
        }
    }

    @Test("a connection that breaks repeats the same attempt")
    func brokenConnection() async throws {
        let gateway = FakeGateway(hasExtensions: true)
        try await FakeWorld.with(gateway: gateway) { request, number in
            if number == 1 { return .dropped }
            Self.finish(request, at: gateway)
            return .json([:])
        } run: { world in
            let row = try await world.rollout()
            #expect(row.rolloutStatus.code == .finished)
            #expect(world.inits.count == 2)
            #expect(Set(world.inits.map(\.metadata.attempt)).count == 1)
        }
    }

    @Test("an environment that refuses connections ends the row with the reason and the address")
    func refusedConnection() async throws {
        try await FakeWorld.with { _, _ in
            .json([:])
        } run: { world in
            await world.environment.stop()
            let status = try await world.rollout().rolloutStatus
            #expect(status.code == .unavailable)
            #expect(status.message.contains("refused"))
            #expect(status.message.contains("\(world.environment.url)/init"))
        }
    }

    @Test("code 14 is tried again, and its trajectory is not taken for the new attempt's")
    func unavailable() async throws {
        let gateway = FakeGateway(hasExtensions: true)
        try await FakeWorld.with(gateway: gateway) { request, number in
            if number < 3 {
                gateway.report(.unavailable("upstream is down"), of: request.metadata)
            } else {
                Self.finish(request, at: gateway)
            }
            return .json([:])
        } run: { world in
            let row = try await world.rollout()
            #expect(row.rolloutStatus.code == .finished)
            #expect(world.inits.count == 3)
        }
    }

    @Test("a failed rollout keeps code, message and details and has its trajectory", arguments: [true, false])
    func failed(_ hasExtensions: Bool) async throws {
        let gateway = FakeGateway(hasExtensions: hasExtensions)
        let status = Status.error("the tool broke", info: ["tool": "shell"])
        try await FakeWorld.with(gateway: gateway) { request, _ in
            gateway.record(request.messages + [.assistant("hm")], of: request.metadata.rolloutID)
            gateway.report(status, of: request.metadata)
            return .json([:])
        } run: { world in
            let row = try await world.rollout()
            #expect(row.rolloutStatus == status)
            #expect(row.messages.map(\.text) == ["6 times 7?", "hm"])
            #expect(world.inits.count == 1)
        }
    }

    @Test("the deadline cancels at the environment and ends with DEADLINE_EXCEEDED and the trajectory so far")
    func deadline() async throws {
        let gateway = FakeGateway(hasExtensions: true)
        try await FakeWorld.with(gateway: gateway) { request, _ in
            gateway.report(.running, of: request.metadata)
            gateway.record(request.messages + [.assistant("hm")], of: request.metadata.rolloutID)
            return .json([:])
        } run: { world in
            var world = world
            var row: EvaluationRow?
            // A busy machine may let the deadline pass before the agent has begun; then it gets more.
            for seconds in [1, 4, 16] where row?.messages.count != 2 {
                world.configuration.timeout = .seconds(seconds)
                row = try await world.rollout()
            }
            #expect(row?.rolloutStatus.code == .deadlineExceeded)
            #expect(row?.messages.count == 2)
            let cancel = try #require(world.environment.requests(to: "/cancel").last?.json)
            #expect(cancel["rollout_id"]?.string == world.inits.last?.metadata.rolloutID)
            #expect(cancel["attempt"]?.string == world.inits.last?.metadata.attempt?.description)
        }
    }

    @Test("a success without a model call through the gateway is NOT_FOUND")
    func noTrace() async throws {
        let gateway = FakeGateway(hasExtensions: true)
        try await FakeWorld.with(gateway: gateway) { request, _ in
            gateway.report(.finished(), of: request.metadata)
            return .json([:])
        } run: { world in
            let row = try await world.rollout()
            #expect(row.rolloutStatus.code == .notFound)
        }
    }

    @Test("a stream of events that breaks is taken up again")
    func brokenStream() async throws {
        let gateway = FakeGateway(hasExtensions: true)
        try await FakeWorld.with(gateway: gateway) { request, _ in
            gateway.cutStreams()
            Self.finish(request, at: gateway)
            return .json([:])
        } run: { world in
            let row = try await world.rollout()
            #expect(row.rolloutStatus.code == .finished)
        }
    }

    @Test("cancelling tells the environment and throws CancellationError")
    func cancellation() async throws {
        let gateway = FakeGateway(hasExtensions: true)
        try await FakeWorld.with(gateway: gateway) { request, _ in
            gateway.report(.running, of: request.metadata)
            return .json([:])
        } run: { world in
            let task = Task { try await world.rollout() }
            try await world.environment.waitForRequests(1, to: "/init")
            task.cancel()
            await #expect(throws: CancellationError.self) { try await task.value }
            #expect(world.environment.requests(to: "/cancel").count == 1)
        }
    }

    @Test(
        "200 rollouts at once get their own answers, few requests register them, and no more are in flight than asked")
    func many() async throws {
        let gateway = FakeGateway(hasExtensions: true)
        let flights = Mutex((now: 0, most: 0))
        try await FakeWorld.with(gateway: gateway) { request, _ in
            flights.withLock {
                $0.now += 1
                $0.most = max($0.most, $0.now)
            }
            gateway.report(.running, of: request.metadata)
            await Task.yield()
            flights.withLock { $0.now -= 1 }
            gateway.record(
                request.messages + [.assistant("answer to \(request.messages[0].text)")],
                of: request.metadata.rolloutID)
            gateway.report(.finished(request.messages[0].text), of: request.metadata)
            return .json([:])
        } run: { world in
            let rows = AsyncStream<EvaluationRow> { continuation in
                for number in 0..<200 { continuation.yield(EvaluationRow(messages: [.user("marker-\(number)-end")])) }
                continuation.finish()
            }
            let results = try await RolloutProcessor.with(world.configuration) { processor in
                let tasks = RolloutTasks(rows, parameters: CompletionParameters(model: "m"))
                return try await processor.process(tasks, concurrency: 64).reduce(into: [EvaluationRow]()) {
                    $0.append($1)
                }
            }
            #expect(results.count == 200)
            #expect(Set(results.map { $0.messages[0].text }).count == 200)
            for row in results {
                let marker = row.messages[0].text
                #expect(row.rolloutStatus == .finished(marker))
                #expect(row.messages.map(\.text) == [marker, "answer to \(marker)"])
            }
            #expect(Set(results.compactMap(\.executionMetadata.rolloutID)).count == 200)
            #expect(world.gatewayServer.requests(to: "/v1/rollouts").count < 200)
            #expect(flights.withLock { $0.most } <= 64)
        }
    }

    @Test("a source that fails ends the results with its error, after the rows before it")
    func failingSource() async throws {
        struct Broken: Error {}
        let gateway = FakeGateway(hasExtensions: true)
        try await FakeWorld.with(gateway: gateway) { request, _ in
            Self.finish(request, at: gateway)
            return .json([:])
        } run: { world in
            let rows = AsyncThrowingStream<EvaluationRow, any Error> { continuation in
                continuation.yield(EvaluationRow(messages: [.user("one")]))
                continuation.finish(throwing: Broken())
            }
            var seen = 0
            await #expect(throws: Broken.self) {
                try await RolloutProcessor.with(world.configuration) { processor in
                    let tasks = RolloutTasks(rows, parameters: CompletionParameters(model: "m"))
                    for try await _ in processor.process(tasks, concurrency: 1) { seen += 1 }
                }
            }
            #expect(seen == 1)
        }
    }

    @Test(
        "URLs that are none are refused at once",
        arguments: ["", "localhost:3000", "ftp://x", "http://", "http://h?q=1"])
    func badURL(_ url: String) async throws {
        await #expect(throws: ConfigurationError.self) {
            try await RolloutProcessor.with(.init(environmentURL: url, gatewayURL: "http://localhost:1")) { _ in }
        }
    }
}
