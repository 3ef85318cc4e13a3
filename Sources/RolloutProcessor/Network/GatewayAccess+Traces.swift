// Part of Rollcall. SPDX-License-Identifier: Apache-2.0

import AsyncHTTPClient
import EvalProtocol
import NIOCore
import NIOHTTP1
import WireJSON

extension GatewayAccess {
    /// More than a rollout has calls, so that all of them count for its usage.
    private static let traceLimit = 1_000
    private static let maximumTraceBytes = 1 << 30
    private static let tries = 3

    /// Traces that a gateway would not give.
    struct TracesRefused: Error, CustomStringConvertible {
        var code: Int
        var description: String { "the gateway answered HTTP \(code)" }
    }

    /// The traces of a rollout's newest attempt, newest first.
    func traces(of rolloutID: String) async throws -> [Trace] {
        var tried = 0
        while true {
            do {
                return try await tracesOnce(of: rolloutID)
            } catch let error as TracesRefused where error.code < 500 && error.code != 429 {
                throw error
            } catch {
                tried += 1
                guard tried < Self.tries else { throw error }
                try await Task.sleep(for: .milliseconds(250) * tried)
            }
        }
    }

    private func tracesOnce(of rolloutID: String) async throws -> [Trace] {
        var url = baseURL + "/v1/traces/pointwise?limit=\(Self.traceLimit)&tags=rollout_id%3A\(rolloutID)"
        if includePayloads { url += "&include_payloads=true" }
        var request = HTTPClientRequest(url: url)
        if let apiKey { request.headers.add(name: "Authorization", value: "Bearer \(apiKey)") }
        let response = try await http.execute(request, timeout: .seconds(300))
        // "Nothing found" is a 404 at some gateways, and an empty list at others.
        if response.status.code == 404 { return [] }
        guard response.status.code == 200 else { throw TracesRefused(code: Int(response.status.code)) }
        let body = try await response.body.collect(upTo: Self.maximumTraceBytes)
        let value = try JSONValue(parsing: Array(body.readableBytesView))
        return (value["traces"]?.array ?? []).compactMap { try? Trace(from: JSONReader($0)) }
    }
}
