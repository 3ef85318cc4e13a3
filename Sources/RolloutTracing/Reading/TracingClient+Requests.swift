// Part of Rollcall. SPDX-License-Identifier: Apache-2.0

import EvalProtocol
import NIOHTTP1
import Synchronization
import WireJSON

extension TracingClient {
    private static let maximumBytes = 1 << 30

    func url(_ path: String, _ query: [(String, String)] = []) -> String {
        guard !query.isEmpty else { return gatewayURL + path }
        let pairs = query.map { "\(PercentEncoding.encoded($0.0))=\(PercentEncoding.encoded($0.1))" }
        return "\(gatewayURL)\(path)?\(pairs.joined(separator: "&"))"
    }

    /// Asks at the path that worked last, and at the other one if that is not there.
    func getEither(
        _ route: any WritableKeyPath<Learned.Routes, String> & Sendable, _ paths: [String], _ query: [(String, String)],
        timeout: Duration = .seconds(300), tries: Int
    ) async throws -> (url: String, JSONValue) {
        let known = learned.routes.withLock { $0[keyPath: route] }
        let url = url(known, query)
        let answer = try await get(url, timeout: timeout, tries: tries)
        guard answer.code == 404 || answer.code == 405, let other = paths.first(where: { $0 != known }) else {
            return (url, try json(answer, url))
        }
        let otherURL = self.url(other, query)
        let otherAnswer = try await get(otherURL, timeout: timeout, tries: tries)
        // Where neither is there, the first one's answer says more.
        if otherAnswer.code == 404 || otherAnswer.code == 405 { return (url, try json(answer, url)) }
        let value = try json(otherAnswer, otherURL)
        learned.routes.withLock { $0[keyPath: route] = other }
        return (otherURL, value)
    }

    func get(_ url: String, timeout: Duration, tries: Int) async throws -> GatewayHTTP.Answer {
        try await request(.GET, url, body: nil, timeout: timeout, tries: tries)
    }

    /// Sends a request that may be repeated, and repeats it when the gateway is not there or overloaded.
    func request(
        _ method: HTTPMethod, _ url: String, body: [UInt8]?, timeout: Duration = .seconds(30), tries: Int
    ) async throws -> GatewayHTTP.Answer {
        let backoff = Backoff(longest: .seconds(2), longestRetryAfter: .seconds(5))
        var failures = 0
        while true {
            let retryAfter: Duration?
            do {
                let answer = try await http.send(
                    method, url, apiKey: apiKey, body: body, timeout: timeout, maximumBytes: Self.maximumBytes)
                let isPassing = [408, 429, 502, 503, 504].contains(answer.code)
                guard isPassing, failures + 1 < tries else { return answer }
                retryAfter = answer.retryAfter
            } catch {
                if Task.isCancelled { throw CancellationError() }
                guard failures + 1 < tries else {
                    throw TracingClientError(.unreachable, url: url, GatewayHTTP.reason(error))
                }
                retryAfter = nil
            }
            failures += 1
            try await Task.sleep(
                for: backoff.pause(afterFailures: failures, retryAfter: retryAfter, jitter: .random(in: 0...1)))
        }
    }

    func json(_ answer: GatewayHTTP.Answer, _ url: String) throws -> JSONValue {
        guard answer.isSuccess else {
            throw TracingClientError(.refused(answer.code), url: url, answer.errorMessage ?? "it gave no reason")
        }
        do {
            return try JSONValue(parsing: answer.body)
        } catch {
            throw TracingClientError(.unreadable, url: url, "\(error)")
        }
    }
}
