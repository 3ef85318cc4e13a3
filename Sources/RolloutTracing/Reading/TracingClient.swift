// Part of Rollcall. SPDX-License-Identifier: Apache-2.0

public import AsyncHTTPClient
public import EvalProtocol
public import WireJSON

/// Reads back what a gateway knows of rollouts, and announces rollouts to it.
public struct TracingClient: Sendable {
    public let gatewayURL: String

    public init(gatewayURL: String, apiKey: String? = nil, httpClient: HTTPClient? = nil) {
        self.gatewayURL = gatewayURL
    }

    /// The status of a rollout now, or, with `wait`, as soon as it is terminal or `wait` (60 s at most) has passed.
    ///
    /// A gateway without waiting answers at once; whoever polls has to pause between two calls himself.
    public func status(
        of rolloutID: String, wait: Duration? = nil, attempt: AttemptID? = nil
    ) async throws -> RolloutStatus { RolloutStatus(rolloutID: rolloutID) }

    /// The newest lines of a rollout, newest first.
    public func logs(
        of rolloutID: String, limit: Int = 100, hoursBack: Double? = nil, program: String? = nil, attempt: AttemptID? = nil
    ) async throws -> [LogEntry] { [] }

    /// `true` when the gateway took all of them, `false` when it has no such route.
    public func register(_ rollouts: [RolloutMetadata]) async throws -> Bool { false }

    /// The gateway's page about a rollout; `nil` when it knows none or has no such pages.
    public func rollout(_ rolloutID: String) async throws -> JSONValue? { nil }
}
