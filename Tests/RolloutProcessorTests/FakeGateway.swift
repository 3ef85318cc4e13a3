// Part of Rollcall. SPDX-License-Identifier: Apache-2.0

import EvalProtocol
import Foundation
import Synchronization
import TestSupport
import WireJSON

/// A gateway as the processor sees it, with or without what only ours has.
final class FakeGateway: Sendable {
    private struct State {
        var registered: [JSONValue] = []
        var statuses: [String: (attempt: String?, status: Status, extras: JSONObject)] = [:]
        var traces: [String: [JSONValue]] = [:]
        var listeners: [AsyncStream<[UInt8]>.Continuation] = []
        var attempts: [String: Int] = [:]
        var sequence = 0
    }

    /// Whether it takes registrations and pushes events.
    let hasExtensions: Bool
    /// Whether it takes registrations but pushes no events.
    let hasEvents: Bool
    private let state = Mutex(State())

    init(hasExtensions: Bool, hasEvents: Bool? = nil) {
        self.hasExtensions = hasExtensions
        self.hasEvents = hasEvents ?? hasExtensions
    }

    var registered: [JSONValue] { state.withLock { $0.registered } }

    /// What an environment's log line with a status does.
    func report(_ status: Status, of metadata: RolloutMetadata, extras: JSONObject = [:]) {
        state.withLock { state in
            state.statuses[metadata.rolloutID] = (metadata.attempt?.description, status, extras)
            state.sequence += 1
            let event = Self.event(
                "status", id: state.sequence,
                [
                    "rollout_id": .string(metadata.rolloutID),
                    "attempt": metadata.attempt.map { .string($0.description) } ?? .null, "status": status.json,
                    "extras": .object(extras),
                ])
            for listener in state.listeners { listener.yield(event) }
        }
    }

    /// What a recorded model call does.
    func record(_ messages: [Message], of rolloutID: String) {
        guard let output = messages.last else { return }
        state.withLock { state in
            let trace: JSONValue = [
                "id": .string("t\(state.traces[rolloutID]?.count ?? 0)"), "tags": [.string("rollout_id:\(rolloutID)")],
                "input": ["messages": .array(messages.dropLast().map(\.json))], "output": output.json,
                "metadata": ["usage": ["prompt_tokens": 3, "completion_tokens": 1], "finish_reason": "stop"],
            ]
            state.traces[rolloutID, default: []].insert(trace, at: 0)
        }
    }

    /// Cuts the streams of events.
    func cutStreams() {
        state.withLock { state in
            for listener in state.listeners { listener.finish() }
            state.listeners = []
        }
    }

    func answer(_ request: ScriptedHTTPServer.Request) -> ScriptedHTTPServer.Response {
        switch (request.method, request.path) {
        case ("POST", "/v1/rollouts") where hasExtensions: register(request)
        case ("GET", "/v1/events") where hasEvents: listen()
        case ("GET", "/v1/status"), ("GET", "/status"): status(of: request.query("rollout_id").first ?? "")
        case ("GET", "/logs"), ("GET", "/v1/logs"): logs(of: request.query("tags").first ?? "")
        case ("GET", "/v1/traces/pointwise"): traces(of: request.query("tags").first ?? "")
        default: .json(["detail": "Not Found"], status: 404)
        }
    }

    private func register(_ request: ScriptedHTTPServer.Request) -> ScriptedHTTPServer.Response {
        let items = request.json?.array ?? []
        let results = state.withLock { state in
            state.registered += items
            return items.map { item -> JSONValue in
                let id = item["metadata"]?["rollout_id"]?.string ?? ""
                state.attempts[id, default: 0] += 1
                state.statuses[id] = nil
                return [
                    "ok": true, "duplicate": false, "attempt": .number(state.attempts[id] ?? 0), "current": true,
                    "final": nil,
                ]
            }
        }
        return .json(["results": .array(results)])
    }

    private func listen() -> ScriptedHTTPServer.Response {
        let (stream, continuation) = AsyncStream<[UInt8]>.makeStream(bufferingPolicy: .unbounded)
        state.withLock { state in
            for (id, current) in state.statuses {
                continuation.yield(
                    Self.event(
                        "status", id: nil,
                        [
                            "rollout_id": .string(id), "attempt": current.attempt.map { .string($0) } ?? .null,
                            "status": current.status.json, "extras": .object(current.extras),
                        ]))
            }
            continuation.yield(Self.event("ready", id: state.sequence, [:]))
            state.listeners.append(continuation)
        }
        return .events(stream)
    }

    private func status(of id: String) -> ScriptedHTTPServer.Response {
        let current = state.withLock { $0.statuses[id] }
        var body: JSONObject = ["rollout_id": .string(id)]
        if hasExtensions {
            body.append("status", current?.status.json ?? .null)
            body.append("attempt", current?.attempt.map { .string($0) } ?? .null)
            body.append("current", true)
            body.append("extras", current.map { .object($0.extras) } ?? .null)
        } else {
            // The hosted gateway keeps the code alone.
            body.append("status", current.map { ["code": .number($0.status.code.rawValue)] } ?? .null)
            body.append("extras", .null)
        }
        return .json(.object(body))
    }

    private func logs(of tag: String) -> ScriptedHTTPServer.Response {
        let id = String(tag.dropFirst("rollout_id:".count))
        let current = state.withLock { $0.statuses[id] }
        let entries = current.map { current -> [JSONValue] in
            [
                [
                    "timestamp": "2026-01-31T12:00:00.000000Z", "message": "done", "severity": "INFO",
                    "tags": [.string(tag)], "status": current.status.json, "extras": .object(current.extras),
                ]
            ]
        }
        return .json(["entries": .array(entries ?? [])])
    }

    private func traces(of tag: String) -> ScriptedHTTPServer.Response {
        let id = String(tag.dropFirst("rollout_id:".count))
        guard let traces = state.withLock({ $0.traces[id] }) else { return .json(["detail": "none"], status: 404) }
        return .json(["project_id": "p", "total_traces": .number(traces.count), "traces": .array(traces)])
    }

    private static func event(_ name: String, id: Int?, _ data: JSONValue) -> [UInt8] {
        Array("event: \(name)\n\(id.map { "id: \($0)\n" } ?? "")data: \(data)\n\n".utf8)
    }
}
