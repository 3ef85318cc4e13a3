// Part of Rollcall. SPDX-License-Identifier: Apache-2.0

public import AsyncHTTPClient
public import EvalProtocol
import NIOHTTP1
import Synchronization
public import WireJSON

/// Reads back what a gateway knows of rollouts, and announces rollouts to it.
///
/// It works with a Rollcall gateway and with those that speak Eval Protocol's contract alone; what only the former
/// can do says so in its answer.
public struct TracingClient: Sendable {
    /// The gateway's address, without a slash at its end.
    public let gatewayURL: String

    let apiKey: String?
    let http: GatewayHTTP
    let eventHTTP: GatewayHTTP
    let learned = Learned()

    /// Routes that turned out to be the right ones of two.
    final class Learned: Sendable {
        struct Routes {
            var status = "/v1/status"
            var logs = "/logs"
        }
        let routes = Mutex(Routes())
    }

    /// - Parameter httpClient: Without one, the process's own for gateways is used. One of your own should have a read
    ///   timeout of more than 15 s, so that dead event streams are noticed, and more than you let a status wait.
    public init(gatewayURL: String, apiKey: String? = nil, httpClient: HTTPClient? = nil) {
        let destination = LogDestination(gatewayURL: gatewayURL, apiKey: apiKey)
        self.gatewayURL = destination.gatewayURL
        self.apiKey = destination.apiKey
        http = GatewayHTTP(client: httpClient)
        eventHTTP = GatewayHTTP(client: httpClient ?? GatewayHTTP.sharedEventClient)
    }

    /// The newest lines of a rollout, newest first; none for a rollout that the gateway does not know.
    ///
    /// - Parameters:
    ///   - limit: How many at most; the newest are kept.
    ///   - hoursBack: Only lines that came in within that many hours.
    ///   - program: Only lines of that program.
    ///   - attempt: The lines of that attempt; without it those of the newest.
    public func logs(
        of rolloutID: String, limit: Int = 100, hoursBack: Double? = nil, program: String? = nil,
        attempt: AttemptID? = nil
    ) async throws -> [LogEntry] {
        var query: [(String, String)] = [("tags", "rollout_id:\(rolloutID)"), ("limit", "\(limit)")]
        if let hoursBack { query.append(("hours_back", "\(hoursBack)")) }
        if let program { query.append(("program", program)) }
        if let attempt { query.append(("attempt", attempt.description)) }
        let (url, value) = try await getEither(\.logs, ["/logs", "/v1/logs"], query, tries: 3)
        guard let entries = value["entries"]?.array else {
            throw TracingClientError(.unreadable, url: url, "the answer has no \"entries\"")
        }
        return entries.compactMap { try? LogEntry(from: JSONReader($0)) }
    }

    /// The recorded model calls of a rollout, newest first; none when the gateway has none.
    ///
    /// - Parameters:
    ///   - includePayloads: Whether the traces come with what else was captured;
    ///     ``EvalProtocol/Trace/decodedPayloads()`` unpacks it.
    ///   - limit: How many at most; the newest are kept.
    ///   - attempt: The calls of that attempt; without it those of the newest.
    public func traces(
        of rolloutID: String, includePayloads: Bool = false, limit: Int = 100, attempt: AttemptID? = nil
    ) async throws -> [Trace] {
        // The waiting is for gateways whose index lags behind; others ignore it.
        var query: [(String, String)] = [
            ("limit", "\(limit)"), ("tags", "rollout_id:\(rolloutID)"), ("sleep_between_gets", "0.1"),
            ("max_retries", "5"),
        ]
        if includePayloads { query.append(("include_payloads", "true")) }
        if let attempt { query.append(("attempt", attempt.description)) }
        let url = url("/v1/traces/pointwise", query)
        let answer = try await get(url, timeout: .seconds(300), tries: 3)
        if answer.code == 404 { return [] }
        guard let traces = try json(answer, url)["traces"]?.array else {
            throw TracingClientError(.unreadable, url: url, "the answer has no \"traces\"")
        }
        return traces.compactMap { try? Trace(from: JSONReader($0)) }
    }

    /// Announces rollouts with their attempts, before they are triggered, so that the gateway knows their experiment
    /// from the start.
    ///
    /// - Parameters:
    ///   - deadline: When the gateway is to end those that still run, from now on; 30 days at most.
    ///   - budget: What each may use of its model before the gateway ends it.
    /// - Returns: One result each, in order; `nil` when the gateway has no such route.
    public func register(
        _ rollouts: [RolloutMetadata], deadline: Duration? = nil, budget: Budget = Budget()
    ) async throws -> [RegistrationResult]? {
        var results: [RegistrationResult] = []
        for start in stride(from: 0, to: rollouts.count, by: 1_000) {
            let items = rollouts[start..<min(start + 1_000, rollouts.count)].map { metadata -> JSONValue in
                var ids = metadata
                ids.attempt = nil
                var item: JSONObject = ["metadata": ids.json]
                if let attempt = metadata.attempt { item["attempt"] = attempt.json }
                if let deadline { item["deadline_seconds"] = .number(deadline / .seconds(1)) }
                if !budget.isEmpty { item["budget"] = budget.json }
                return .object(item)
            }
            let url = url("/v1/rollouts")
            let answer = try await request(.POST, url, body: JSONValue.array(items).serialized(), tries: 3)
            if [404, 405, 501].contains(answer.code) { return nil }
            guard let answers = try json(answer, url)["results"]?.array, answers.count == items.count else {
                throw TracingClientError(.unreadable, url: url, "the answer has no result for each rollout")
            }
            results += answers.map { RegistrationResult(JSONReader($0)) }
        }
        return results
    }

    /// The gateway's page about a rollout: ids, attempts, counts of calls and lines, tokens and times.
    ///
    /// - Returns: `nil` when the gateway does not know the rollout or has no such pages.
    public func rollout(_ rolloutID: String) async throws -> JSONValue? {
        let url = url("/v1/rollouts/\(PercentEncoding.encoded(rolloutID))")
        let answer = try await get(url, timeout: .seconds(30), tries: 3)
        if [404, 405, 501].contains(answer.code) { return nil }
        return try json(answer, url)
    }
}

/// What became of a registration.
public enum RegistrationResult: Sendable, Hashable {
    /// The gateway knows the rollout and its attempt now, or did already.
    case registered(LogAnswer)
    /// It does not take it: 409 for other ids than it knows of the rollout.
    case refused(code: Int, reason: String)

    init(_ reader: JSONReader) {
        switch PostOutcome.LineResult(reader) {
        case .accepted(let answer): self = .registered(answer)
        case .refused(let code, let reason, _): self = .refused(code: code, reason: reason)
        }
    }
}
