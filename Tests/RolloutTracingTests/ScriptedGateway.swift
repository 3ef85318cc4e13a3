// Part of Rollcall. SPDX-License-Identifier: Apache-2.0

import EvalProtocol
import RolloutTracing
import Synchronization
import TestSupport
import WireJSON

/// A gateway of which tests choose the manners: what it takes, what it refuses, when it is down.
final class ScriptedGateway: Sendable {
    struct Manners: Sendable {
        /// Answers with `attempt`, as ours does.
        var knowsAttempts = true
        var takesBatches = true
        /// Routes answered with 404.
        var missing: Set<String> = []
        /// Answers a line or a batch with an error instead, when it says one.
        var refusal: (@Sendable (ScriptedHTTPServer.Request) -> ScriptedHTTPServer.Response?)?
        /// The result of a line of a batch, when it is not ok.
        var itemRefusal: (@Sendable (JSONValue) -> Int?)?
        var current = true
        var final: StatusCode?
    }

    let manners: Mutex<Manners>
    private let taken = Mutex<[JSONValue]>([])

    init(_ manners: Manners = Manners()) { self.manners = Mutex(manners) }

    /// The lines it took, in order.
    var lines: [JSONValue] { taken.withLock { $0 } }
    var messages: [String] { lines.compactMap { $0["message"]?.string } }

    func answer(_ request: ScriptedHTTPServer.Request) async -> ScriptedHTTPServer.Response {
        let manners = manners.withLock { $0 }
        if manners.missing.contains(request.path) { return .text("not here", status: 404) }
        if let refusal = manners.refusal?(request) { return refusal }
        switch request.path {
        case "/logs", "/v1/logs":
            guard let line = request.json else { return .text("no JSON", status: 400) }
            taken.withLock { $0.append(line) }
            return .json(.object(Self.answer(manners)))
        case "/v1/logs/batch" where manners.takesBatches:
            guard let lines = request.json?.array else { return .text("no array", status: 400) }
            let results = lines.map { line -> JSONValue in
                if let code = manners.itemRefusal?(line) {
                    return ["id": line["id"] ?? .null, "ok": false, "code": .number(code), "error": "no"]
                }
                taken.withLock { $0.append(line) }
                var result: JSONObject = ["id": line["id"] ?? .null, "ok": true, "duplicate": false]
                for member in Self.answer(manners).members { result[member.key.text] = member.value }
                return .object(result)
            }
            return .json(["results": .array(results)])
        default: return .text("not here", status: 404)
        }
    }

    private static func answer(_ manners: Manners) -> JSONObject {
        guard manners.knowsAttempts else { return ["ok": true] }
        return [
            "attempt": 1, "current": .bool(manners.current),
            "final": manners.final.map { .number($0.rawValue) } ?? .null,
        ]
    }
}

/// A rollout with made-up ids.
func context(_ id: String = "r1", attempt: String? = nil, destination: LogDestination? = nil) -> RolloutContext {
    RolloutContext(
        metadata: RolloutMetadata(
            invocationID: "i", experimentID: "e", rolloutID: id, runID: "u", rowID: "w"),
        attempt: attempt.flatMap { AttemptID($0) }, destination: destination)
}

func line(_ message: String, rollout: String = "r1", status: Status? = nil) -> LogLine {
    LogLine(message: message, tags: ["rollout_id:\(rollout)"], status: status)
}

/// A configuration whose pauses are short.
func quick(_ url: String, apiKey: String? = nil) -> TracingConfiguration {
    var configuration = TracingConfiguration(gatewayURL: url, apiKey: apiKey)
    configuration.backoff = Backoff(first: .milliseconds(10), longest: .milliseconds(40))
    return configuration
}
