// Part of Rollcall. SPDX-License-Identifier: Apache-2.0

import EvalProtocol
import Foundation
import Logging
import ModelProxy
import PrometheusMetrics
import SQLiteTraceStore
import ServiceLifecycle
import Synchronization
import TestSupport
import TraceStore
import TracingGateway
import WireJSON

/// A gateway in this process: SQLite in a folder of its own, a free port, real sockets.
struct GatewayFixture: Sendable {
    let address: Gateway.Address
    let ledger: TraceLedger
    private let services: ServiceGroup

    var port: Int { address.port }

    static func with<Result: Sendable>(
        keys: KeyRing = .open, upstream: String? = nil, host: String = "127.0.0.1",
        configure: (inout GatewayConfiguration) -> Void = { _ in },
        _ body: @Sendable (GatewayFixture) async throws -> Result
    ) async throws -> Result {
        let folder = FileManager.default.temporaryDirectory.appending(path: "rollcall-\(UUID().uuidString)")
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(at: folder) }
        var logger = Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }
        logger.logLevel = .critical
        let metrics = PrometheusRegistry()
        let ledger = TraceLedger(
            store: try SQLiteTraceStore(path: folder.appending(path: "traces.sqlite").path), logger: logger,
            metrics: metrics)
        var configuration = GatewayConfiguration(
            proxy: ProxyConfiguration(keys: keys, upstreams: try UpstreamRules(upstream: upstream)))
        configuration.host = host
        configuration.port = 0
        configuration.grace = .seconds(5)
        configure(&configuration)
        let (ready, whenReady) = AsyncStream.makeStream(of: Gateway.Address.self, bufferingPolicy: .bufferingNewest(1))
        let gateway = Gateway(configuration, ledger: ledger, logger: logger, metrics: metrics) { whenReady.yield($0) }
        let services = ServiceGroup(
            configuration: .init(
                services: [.init(service: gateway, successTerminationBehavior: .gracefullyShutdownGroup)],
                logger: logger))
        let running = Task {
            defer { whenReady.finish() }
            try await services.run()
        }
        guard let address = await ready.first(where: { _ in true }) else {
            try await running.value
            throw NeverHappened(description: "the gateway did not start")
        }
        let fixture = GatewayFixture(address: address, ledger: ledger, services: services)
        let result: Swift.Result<Result, any Error>
        do { result = .success(try await body(fixture)) } catch { result = .failure(error) }
        await services.triggerGracefulShutdown()
        try await running.value
        return try result.get()
    }

    func stop() async { await services.triggerGracefulShutdown() }

    // MARK: Requests, each on a connection of its own

    func request(
        _ method: String, _ path: String, headers: [String] = [], body: [UInt8]? = nil
    ) async throws -> RawResponse {
        let connection = try await RawConnection.open(port)
        var head = "\(method) \(path) HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n"
        for header in headers { head += header + "\r\n" }
        if let body { head += "content-type: application/json\r\ncontent-length: \(body.count)\r\n" }
        try await connection.send(Array((head + "\r\n").utf8) + (body ?? []))
        let response = try await connection.response(toHead: method == "HEAD")
        await connection.close()
        return response
    }

    func get(_ path: String, headers: [String] = []) async throws -> RawResponse {
        try await request("GET", path, headers: headers)
    }

    func post(_ path: String, _ body: String, headers: [String] = []) async throws -> RawResponse {
        try await request("POST", path, headers: headers, body: Array(body.utf8))
    }

    func post(_ path: String, _ body: JSONValue, headers: [String] = []) async throws -> RawResponse {
        try await request("POST", path, headers: headers, body: body.serialized())
    }

    // MARK: The usual lines

    /// A log line of a rollout, with a status where a code is given.
    static func line(
        _ rollout: String, code: Int? = nil, message: String = "m", attempt: String? = nil, timestamp: String? = nil
    ) -> JSONValue {
        var extras: JSONObject = ["level": "INFO"]
        if let timestamp { extras.append("timestamp", .string(timestamp)) }
        if let attempt { extras.append("rollcall", ["attempt": .string(attempt)]) }
        var line: JSONObject = [
            "program": "eval_protocol", "message": .string(message),
            "tags": [.string("rollout_id:\(rollout)"), "experiment_id:e1", "run_id:r1"], "extras": .object(extras),
        ]
        if let code {
            line.append("status", ["code": .number(code), "message": .string("status \(code)"), "details": []])
        }
        return .object(line)
    }

    @discardableResult
    func log(
        _ rollout: String, code: Int? = nil, message: String = "m", attempt: String? = nil, timestamp: String? = nil,
        headers: [String] = []
    ) async throws -> JSONValue {
        let response = try await post(
            "/logs", Self.line(rollout, code: code, message: message, attempt: attempt, timestamp: timestamp),
            headers: headers)
        guard response.status == 200 else { throw NeverHappened(description: response.text) }
        return response.json
    }

    func status(_ rollout: String, _ more: String = "") async throws -> JSONValue {
        try await get("/v1/status?rollout_id=\(rollout)\(more)").json
    }

    // MARK: Recorded calls

    /// Records a call as the proxy would.
    @discardableResult
    func record(
        _ rollout: String, messages: JSONValue = [["role": "user", "content": "hi"]], more: JSONObject = [:],
        answer: JSONValue = completion("hello"), attempt: String? = nil, account: Account = .default,
        captured: CapturedTokens = CapturedTokens()
    ) async throws -> Int64 {
        var metadata = RolloutMetadata(
            invocationID: "i1", experimentID: "e1", rolloutID: rollout, runID: "r1", rowID: "row1")
        metadata.attempt = attempt.flatMap { AttemptID($0) }
        var request: JSONObject = ["model": "m", "messages": messages]
        for member in more.members { request.append(member.key.text, member.value) }
        let body = JSONValue.object(request).serialized()
        let fields = try JSONFields(of: body.span)
        var record = CallRecord(
            account: account, metadata: metadata, state: .recorded,
            request: RecordedRequest(body: body, fields: fields), upstream: "http://upstream/v1/chat/completions",
            answer: answer.serialized(), startedAt: 1_700_000_000_000_000, microsecondsToEnd: 1000,
            requestID: "req_test")
        record.requestedModel = "m"
        record.finishReason = "stop"
        record.captured = captured
        guard case .success(.stored(let receipt))? = try await ledger.commit([.call(record)]).first else {
            throw NeverHappened(description: "the call was not stored")
        }
        return receipt.id
    }

    static func completion(_ text: String) -> JSONValue {
        [
            "id": "c1", "object": "chat.completion", "model": "m",
            "choices": [
                ["index": 0, "message": ["role": "assistant", "content": .string(text)], "finish_reason": "stop"]
            ],
        ]
    }
}
