// Part of Rollcall. SPDX-License-Identifier: Apache-2.0

import EvalProtocol
import RolloutTracing
import WireJSON

/// What the processor asks of a gateway, ours or another.
struct GatewayAccess: Sendable {
    /// More than a rollout has calls, so that all of them count for its usage.
    private static let traceLimit = 1_000

    let baseURL: String
    private let tracing: TracingClient
    private let includePayloads: Bool

    init(baseURL: String, apiKey: String?, includePayloads: Bool) {
        self.baseURL = baseURL
        self.includePayloads = includePayloads
        tracing = TracingClient(gatewayURL: baseURL, apiKey: apiKey)
    }

    /// The statuses of an experiment's rollouts; ends only with an error, for a gateway that has no such stream.
    func events(experimentID: String) -> StatusEvents {
        tracing.events(EventFilter(experimentIDs: [experimentID]))
    }

    /// The traces of a rollout's newest attempt, newest first.
    func traces(of rolloutID: String) async throws -> [Trace] {
        try await tracing.traces(of: rolloutID, includePayloads: includePayloads, limit: Self.traceLimit)
    }
}

// MARK: - Registration

extension GatewayAccess {
    /// As long as a gateway lets a deadline be.
    private static let longestDeadline = Duration.seconds(30 * 86_400)

    /// Announces attempts; one answer each, in order.
    func register(_ rollouts: [RolloutMetadata], deadline: Duration) async -> [RolloutLifecycle.Registration] {
        func all(_ answer: RolloutLifecycle.Registration) -> [RolloutLifecycle.Registration] {
            Array(repeating: answer, count: rollouts.count)
        }
        do {
            guard let results = try await tracing.register(rollouts, deadline: min(deadline, Self.longestDeadline))
            else { return all(.unsupported) }
            return results.map { result in
                switch result {
                case .registered(let answer): .taken(number: answer.attemptNumber)
                case .refused(409, _): .conflict
                case .refused(let code, let reason): Self.registration(code: code, reason)
                }
            }
        } catch let error as TracingClientError {
            if case .refused(let code) = error.kind { return all(Self.registration(code: code, "\(error)")) }
            return all(error.kind == .unreachable ? .failed("\(error)") : .unsupported)
        } catch {
            return all(.failed("\(error)"))
        }
    }

    /// A gateway of another kind may answer an unknown route with anything; only what cannot be meant so is a refusal.
    private static func registration(code: Int, _ reason: String) -> RolloutLifecycle.Registration {
        switch code {
        case 401, 403: .refused(RolloutFailures.gatewayRefused(code: code, text: reason))
        case 408, 429, 502, 503, 504: .failed("HTTP \(code): \(reason)")
        default: .unsupported
        }
    }
}

// MARK: - Status

extension GatewayAccess {
    /// The status now, with message, details and extras; `nil` while there is none.
    func status(of execution: RolloutExecution) async throws -> StatusReport? {
        let answer = try await tracing.status(of: execution.rolloutID, attempt: execution.attempt)
        guard let status = answer.status else { return nil }
        return StatusReport(
            rolloutID: execution.rolloutID, attempt: answer.attempt, attemptNumber: answer.attemptNumber,
            status: status, extras: answer.extras)
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
                diagnosis.logs = page["logs"]?.int
            } else {
                diagnosis.logs = try await tracing.logs(of: id).count
            }
            diagnosis.status = try await tracing.status(of: id).status
        } catch {
            diagnosis.gatewayFailure = "\(error)"
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
