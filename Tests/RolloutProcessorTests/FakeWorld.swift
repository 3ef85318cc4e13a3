// Part of Rollcall. SPDX-License-Identifier: Apache-2.0

import EvalProtocol
import Foundation
import RolloutProcessor
import Synchronization
import TestSupport
import WireJSON

/// A scripted environment and gateway, and the configuration of a processor between them.
struct FakeWorld: Sendable {
    typealias Response = ScriptedHTTPServer.Response

    let gateway: FakeGateway
    let gatewayServer: ScriptedHTTPServer
    let environment: ScriptedHTTPServer
    var configuration: RolloutProcessor.Configuration

    /// - Parameter initAnswer: Answers `/init`; the number counts the calls from 1.
    static func with<Value: Sendable>(
        gateway: FakeGateway = FakeGateway(hasExtensions: true),
        initAnswer: @escaping @Sendable (InitRequest, Int) async -> Response,
        run body: (FakeWorld) async throws -> Value
    ) async throws -> Value {
        let calls = Counter()
        return try await ScriptedHTTPServer.with({ gateway.answer($0) }) { gatewayServer in
            try await ScriptedHTTPServer.with({ request in
                guard request.path == "/init" else { return .json(["results": []]) }
                guard let body = try? InitRequest(parsing: request.body) else {
                    return .json(["detail": "no /init body"], status: 400)
                }
                return await initAnswer(body, calls.next())
            }) { environment in
                var configuration = RolloutProcessor.Configuration(
                    environmentURL: environment.url, gatewayURL: gatewayServer.url, apiKey: "secret-key")
                configuration.timeout = .seconds(30)
                configuration.pollInterval = .milliseconds(20)
                configuration.retries = RetryPolicy(attempts: 3, initialBackoff: .milliseconds(10))
                return try await body(
                    FakeWorld(
                        gateway: gateway, gatewayServer: gatewayServer, environment: environment,
                        configuration: configuration))
            }
        }
    }

    /// Does one rollout of a row with one user message.
    func rollout(_ text: String = "6 times 7?") async throws -> EvaluationRow {
        try await RolloutProcessor.with(configuration) { processor in
            try await processor.process(EvaluationRow(messages: [.user(text)]), CompletionParameters(model: "m"))
        }
    }

    var inits: [InitRequest] {
        environment.requests(to: "/init").compactMap { try? InitRequest(parsing: $0.body) }
    }
}

/// Counts from 1.
final class Counter: Sendable {
    private let count = Mutex(0)

    func next() -> Int {
        count.withLock { count in
            count += 1
            return count
        }
    }
}
