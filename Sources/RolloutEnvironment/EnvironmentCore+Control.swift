// Part of Rollcall. SPDX-License-Identifier: Apache-2.0

import EvalProtocol
import RolloutTracing
import WireJSON

extension EnvironmentCore {
    /// `POST /cancel`.
    func cancel(_ body: [UInt8], authorization: String?) -> InitAnswer {
        guard isAuthorized(authorization) else { return unauthorized }
        guard body.count <= configuration.maximumBodyBytes else { return tooLarge }
        let order: Cancellation
        do {
            order = try Cancellation(parsing: body)
        } catch let error as JSONDecodingError {
            return .error(400, code: "invalid_field", "\(error)", param: error.path.description)
        } catch {
            return .error(400, code: "invalid_json", "The body is \(error).")
        }
        let status = FailureReason.cancelled.status("The rollout was cancelled by POST /cancel.")
        let results: [(String, String)] =
            switch order {
            case .all: registry.cancelAll(with: status).map { ($0.rolloutID, "cancelled") }
            case .rollouts(let ids, let attempt):
                ids.map { ($0, registry.cancel($0, attempt: attempt, with: status).rawValue) }
            }
        return InitAnswer(
            status: 200,
            json: ["results": .array(results.map { ["rollout_id": .string($0.0), "result": .string($0.1)] })])
    }

    /// `GET /status`.
    func status(of rolloutID: String?, authorization: String?) -> InitAnswer {
        guard isAuthorized(authorization) else { return unauthorized }
        guard let rolloutID, !rolloutID.isEmpty else {
            return .error(
                400, code: "invalid_field", "rollout_id: expected a non-empty query parameter", param: "rollout_id")
        }
        let known = registry.status(of: rolloutID)
        var info: JSONObject? = known.map { ["attempt": $0.attempt.json] }
        if let extras = known?.status.extras, !extras.members.isEmpty { info?.append("extras", .object(extras)) }
        return InitAnswer(
            status: 200,
            json: [
                "terminated": .bool(known?.status.isTerminal ?? false),
                "status": known?.status.json ?? .null,
                "info": info.map { .object($0) } ?? .null,
            ])
    }

    /// `GET /metrics`.
    func metrics(authorization: String?) -> InitAnswer {
        guard isAuthorized(authorization) else { return unauthorized }
        return InitAnswer(
            status: 200, headers: [("content-type", "text/plain; version=0.0.4; charset=utf-8")],
            text: metrics.text(registry.counts, delivery.statistics))
    }

    /// `GET /health`.
    var health: InitAnswer {
        let counts = registry.counts
        var status = counts.isDraining ? "stopping" : "healthy"
        var problem: JSONValue?
        if case .failed(let reason) = delivery.health {
            status = "unhealthy"
            problem = .string(reason)
        } else if counts.abandoned >= configuration.maximumConcurrentRollouts {
            status = "unhealthy"
            problem = "Agents that were cancelled and do not return hold all places; restart the environment."
        }
        var object: JSONObject = [
            "status": .string(status), "capacity": .number(configuration.maximumConcurrentRollouts),
            "running": .number(counts.running), "queued": .number(counts.queued),
            "abandoned": .number(counts.abandoned),
        ]
        if let problem { object.append("problem", problem) }
        return InitAnswer(status: status == "unhealthy" ? 503 : 200, json: .object(object))
    }
}

/// The body of `POST /cancel`: `{"rollout_id": R | [R…], "attempt"?}` or `{"all": true}`.
private enum Cancellation: JSONConvertible {
    case all
    case rollouts([String], attempt: AttemptID?)

    init(from reader: JSONReader) throws(JSONDecodingError) {
        _ = try reader.object()
        if let all = reader["all"].present {
            guard try all.bool() else { throw all.error(expected: "true") }
            guard reader["rollout_id"].isAbsent else {
                throw reader["rollout_id"].error(expected: "nothing beside all")
            }
            self = .all
            return
        }
        let attempt: AttemptID? = try reader["attempt"].present?.decode()
        if reader["rollout_id"].value?.array != nil {
            var ids: [String] = []
            for element in try reader["rollout_id"].elements() { ids.append(try element.nonEmptyString()) }
            self = .rollouts(ids, attempt: attempt)
        } else if reader["rollout_id"].value?.string != nil {
            self = .rollouts([try reader["rollout_id"].nonEmptyString()], attempt: attempt)
        } else {
            throw reader["rollout_id"].error(expected: "a rollout id, an array of them, or all: true in its place")
        }
    }

    var json: JSONValue {
        switch self {
        case .all: ["all": true]
        case .rollouts(let ids, let attempt):
            ["rollout_id": .array(ids.map { .string($0) }), "attempt": attempt?.json ?? .null]
        }
    }
}
