// Part of Rollcall. SPDX-License-Identifier: Apache-2.0

import AsyncHTTPClient
import EvalProtocol
import Logging
import NIOCore
import NIOHTTP1
import RolloutEnvironment
import ServiceLifecycle
import TestSupport
import WireJSON

/// An environment at a socket.
struct ServedEnvironment {
    struct Answer {
        let status: Int
        let headers: HTTPHeaders
        let json: JSONValue?
        let text: String
        var message: String { json?["error"]?["message"]?.string ?? "" }
    }

    let url: String
    let group: ServiceGroup
    var client = HTTPClient.shared

    /// Runs `body` with `environment` served, and then stops it gracefully.
    ///
    /// - Parameters:
    ///   - host: Where it listens, and where it is called, unless that is everywhere.
    ///   - client: Calls it over TLS.
    static func with(
        _ environment: RolloutEnvironment, host: String = "127.0.0.1", tls client: HTTPClient? = nil,
        _ body: (ServedEnvironment) async throws -> Void
    ) async throws {
        let port = Kept<Int>()
        let server = EnvironmentServer(environment: environment, host: host, port: 0) { port.value = $0 }
        let quiet = Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }
        let group = ServiceGroup(services: [server, environment], logger: quiet)
        try await withThrowingTaskGroup(of: Void.self) { tasks in
            tasks.addTask { try await group.run() }
            do {
                try await eventually("listening environment") { port.value != nil }
                let place = "\(host == "0.0.0.0" ? "127.0.0.1" : host):\(port.value!)"
                let url = client == nil ? "http://\(place)" : "https://\(place)"
                try await body(ServedEnvironment(url: url, group: group, client: client ?? .shared))
            } catch {
                await group.triggerGracefulShutdown()
                throw error
            }
            await group.triggerGracefulShutdown()
            try await tasks.waitForAll()
        }
    }

    func send(
        _ method: HTTPMethod, _ path: String, body: [UInt8]? = nil, headers: [(String, String)] = []
    ) async throws -> Answer {
        var request = HTTPClientRequest(url: url + path)
        request.method = method
        for header in headers { request.headers.add(name: header.0, value: header.1) }
        if let body { request.body = .bytes(ByteBuffer(bytes: body)) }
        let answer = try await client.execute(request, timeout: .seconds(30))
        let bytes = [UInt8](try await answer.body.collect(upTo: 1 << 20).readableBytesView)
        return Answer(
            status: Int(answer.status.code), headers: answer.headers, json: try? JSONValue(parsing: bytes),
            text: String(decoding: bytes, as: UTF8.self))
    }

    func post(_ path: String, _ json: JSONValue, headers: [(String, String)] = []) async throws -> Answer {
        try await send(.POST, path, body: json.serialized(), headers: headers)
    }

    func initialize(_ request: InitRequest) async throws -> Answer { try await post("/init", request.json) }
}

extension InitRequest {
    /// A request for a rollout whose gateway is at `gatewayURL`.
    static func test(
        _ rolloutID: String, gateway gatewayURL: String, attempt: String? = nil, key: String? = "caller-key-1234"
    ) -> InitRequest {
        let metadata = RolloutMetadata(
            invocationID: "inv", experimentID: "exp", rolloutID: rolloutID, runID: "run", rowID: "row")
        var named = metadata
        named.attempt = attempt.flatMap { AttemptID($0) }
        return InitRequest(
            completionParameters: CompletionParameters(model: "m"), messages: [.user("hello")],
            modelBaseURL: TaggedURL.make(gatewayURL: gatewayURL, metadata: metadata), metadata: named, apiKey: key)
    }
}

extension RolloutEnvironment.Configuration {
    /// Nothing of the process's own variables, and no log.
    static var test: RolloutEnvironment.Configuration {
        var configuration = RolloutEnvironment.Configuration()
        configuration.variables = [:]
        configuration.logger = Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }
        configuration.grace = .seconds(20)
        return configuration
    }
}
