// Part of Rollcall. SPDX-License-Identifier: Apache-2.0

import AsyncHTTPClient
import EvalProtocol
import NIOCore
import NIOHTTP1
import RolloutTracing
import WireJSON

/// What the processor asks of a gateway, ours or another.
struct GatewayAccess: Sendable {
    let baseURL: String
    let tracing: TracingClient
    let http: HTTPClient
    let apiKey: String?
    let includePayloads: Bool

    init(baseURL: String, apiKey: String?, http: HTTPClient, includePayloads: Bool) {
        self.baseURL = baseURL
        self.apiKey = apiKey
        self.http = http
        self.includePayloads = includePayloads
        tracing = TracingClient(gatewayURL: baseURL, apiKey: apiKey, httpClient: http)
    }
}

// MARK: - Registration

extension GatewayAccess {
    private static let registrationTimeout = TimeAmount.seconds(30)

    /// Announces attempts; one answer each, in order.
    func register(_ rollouts: [RolloutMetadata]) async -> [RolloutLifecycle.Registration] {
        func all(_ answer: RolloutLifecycle.Registration) -> [RolloutLifecycle.Registration] {
            Array(repeating: answer, count: rollouts.count)
        }
        let items = rollouts.map { metadata -> JSONValue in
            var ids = metadata
            ids.attempt = nil
            var item: JSONObject = ["metadata": ids.json]
            if let attempt = metadata.attempt { item.append("attempt", attempt.json) }
            return .object(item)
        }
        var request = HTTPClientRequest(url: baseURL + "/v1/rollouts")
        request.method = .POST
        request.headers.add(name: "Content-Type", value: "application/json")
        if let apiKey { request.headers.add(name: "Authorization", value: "Bearer \(apiKey)") }
        request.body = .bytes(ByteBuffer(bytes: JSONValue.array(items).serialized()))
        do {
            let response = try await http.execute(request, timeout: Self.registrationTimeout)
            let body = try await response.body.collect(upTo: 16 << 20)
            let value = try? JSONValue(parsing: Array(body.readableBytesView))
            let code = Int(response.status.code)
            guard code == 200, let results = value?["results"]?.array, results.count == rollouts.count else {
                // Only our gateway marks its answers so; what another one answers to an unknown route is anything.
                let isOurs = response.headers.contains(name: "x-rollcall-request-id")
                let message = value?["error"]?["message"]?.string ?? value?["detail"]?.string ?? ""
                return all(Self.registration(code: code, message: message, isOurs: isOurs))
            }
            return results.map(Self.registration)
        } catch {
            return all(.failed("\(TransportFailure(error).reason) (\(baseURL))"))
        }
    }

    private static func registration(_ result: JSONValue) -> RolloutLifecycle.Registration {
        if result["ok"]?.bool == true { return .taken(number: result["attempt"]?.int) }
        let error = result["error"]
        return registration(
            code: result["code"]?.int ?? 500, message: error?["message"]?.string ?? error?.string ?? "", isOurs: true)
    }

    private static func registration(code: Int, message: String, isOurs: Bool) -> RolloutLifecycle.Registration {
        switch code {
        case 404, 405, 501: .unsupported
        case 429, 502, 503, 504: .failed("HTTP \(code) \(message)")
        case 409 where isOurs: .conflict
        case 500... where isOurs: .failed("HTTP \(code) \(message)")
        case 400... where isOurs: .refused(RolloutFailures.gatewayRefused(code: code, text: message))
        default: .unsupported
        }
    }
}

// MARK: - Status

extension GatewayAccess {
    /// The status now, with message, details and extras; `nil` while there is none.
    func status(of execution: RolloutExecution) async throws -> StatusReport? {
        let answer = try await tracing.status(of: execution.rolloutID, attempt: execution.attempt)
        guard var status = answer.status else { return nil }
        var extras = answer.extras
        // A gateway that knows of no attempts may keep the code alone; the rest stands in the log line.
        if !answer.knowsAttempts, status.isTerminal, status.message.isEmpty, status.details.isEmpty {
            let line = try? await tracing.logs(of: execution.rolloutID, program: LogLine.defaultProgram)
                .first { $0.status?.code == status.code }
            if let line {
                status = line.status ?? status
                extras = line.extras
            }
        }
        return StatusReport(
            rolloutID: execution.rolloutID,
            attempt: answer.attempt.map { .name($0.description) } ?? answer.attemptNumber.map { .number($0) },
            status: status, extras: extras)
    }

    /// As ``status(of:)``, but a gateway that cannot tell, or not in time, tells nothing.
    func check(_ execution: RolloutExecution, within timeout: Duration) async -> StatusReport? {
        let report = await withTaskGroup(of: StatusReport?.self) { group in
            group.addTask { try? await status(of: execution) }
            group.addTask {
                try? await Task.sleep(for: timeout)
                return nil
            }
            defer { group.cancelAll() }
            return await group.next() ?? nil
        }
        return report.flatMap { $0.concerns(execution) ? $0 : nil }
    }
}

// MARK: - Diagnosis

extension GatewayAccess {
    /// Fills in what the gateway knows of the rollout.
    func observe(_ diagnosis: inout RolloutDiagnosis) async {
        let id = diagnosis.rolloutID
        do {
            if let page = try await tracing.rollout(id) {
                diagnosis.calls = Self.calls(page["calls"])
                diagnosis.logs = page["logs"]?.int ?? page["logs"]?["count"]?.int ?? page["logs"]?.array?.count
            } else {
                diagnosis.logs = try await tracing.logs(of: id).count
            }
            diagnosis.status = try await tracing.status(of: id).status
        } catch {
            diagnosis.gatewayFailure = TransportFailure(error).reason
        }
    }

    private static func calls(_ value: JSONValue?) -> RolloutDiagnosis.Calls? {
        guard let value, value.object != nil else { return nil }
        return RolloutDiagnosis.Calls(
            started: value["started"]?.int ?? 0, recorded: value["recorded"]?.int ?? 0,
            failed: value["failed"]?.int ?? 0, cut: value["cut"]?.int ?? 0,
            unrecorded: value["unrecorded"]?.int ?? 0)
    }
}
