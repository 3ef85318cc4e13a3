// Part of Rollcall. SPDX-License-Identifier: Apache-2.0

public import AsyncHTTPClient
public import EvalProtocol
public import Logging
public import ServiceLifecycle
public import WireJSON

/// Brings log lines and statuses to their gateways, in order for each rollout, without holding up who logs.
public final class LogDelivery: Service, Sendable {
    public let configuration: TracingConfiguration

    public init(_ configuration: TracingConfiguration, httpClient: HTTPClient? = nil, logger: Logger? = nil) {
        self.configuration = configuration
    }

    /// Whether more statuses wait than the configuration allows.
    public var isOverloaded: Bool { false }
    public var statistics: DeliveryStatistics { DeliveryStatistics() }
    public var health: DeliveryHealth { .healthy }

    /// Whether a gateway of this origin has answered a line with an `attempt`.
    public func knowsAttempts(origin: String) -> Bool { false }

    public func onAnswer(_ handler: @escaping @Sendable (DeliveredLine) -> Void) {}

    public func enqueue(_ line: LogLine, attempt: AttemptID? = nil, destination: LogDestination? = nil) {}

    public func report(
        _ status: Status, for context: RolloutContext, message: String? = nil, extras: JSONObject = [:]
    ) {}

    public func deliver(
        _ status: Status, for context: RolloutContext, message: String? = nil, extras: JSONObject = [:],
        within limit: Duration
    ) async -> DeliveryResult { .unreachable(reason: "") }

    @discardableResult
    public func flush(rolloutID: String? = nil, within limit: Duration) async -> Int { 0 }

    public func run() async throws { try await gracefulShutdown() }
}
