// Part of Rollcall. SPDX-License-Identifier: Apache-2.0

public import AsyncHTTPClient
public import EvalProtocol
public import Logging
import NIOCore
public import ServiceLifecycle
import Synchronization
public import WireJSON

/// Brings log lines and statuses to their gateways, in order for each rollout, without holding up who logs.
///
/// Lines wait in memory within the bounds of the configuration; when there is no more room, new plain lines are
/// refused and counted, lines with a status never. A gateway that cannot be reached, is overloaded or knows the key
/// not yet is tried again, with growing pauses. It starts by itself with the first line; ``run()`` makes it deliver
/// what waits when a service group shuts down, so it belongs before the services that log.
public final class LogDelivery: Service, Sendable {
    /// The bounds, and where lines go whose rollout names no gateway.
    public let configuration: TracingConfiguration

    /// Whether the current code works for a delivery; what it logs must not go through a delivery again.
    @TaskLocal static var isDelivering = false

    let http: GatewayHTTP
    let locked: Mutex<Shared>
    /// Of timers. It lives as long as the process, which a given client's need not.
    let loop: any EventLoop
    private let logger: Logger?

    struct Shared: ~Copyable {
        var state: DeliveryState
        var handlers: [@Sendable (DeliveredLine) -> Void] = []
        var waits: [UInt64: Wait] = [:]
        var flushes: [UInt64: FlushWait] = [:]
        var lastWait: UInt64 = 0
        var alarm: (at: ContinuousClock.Instant, timer: Scheduled<Void>)?
    }

    /// Somebody who waits for the answer to a line.
    struct Wait {
        var continuation: CheckedContinuation<DeliveryResult, Never>
        var timeout: Scheduled<Void>
    }

    /// Somebody who waits for the queue to empty.
    struct FlushWait {
        var continuation: CheckedContinuation<Void, Never>
        var timeout: Scheduled<Void>

        func end() {
            timeout.cancel()
            continuation.resume()
        }
    }

    /// - Parameters:
    ///   - httpClient: Without one, the process's own for gateways is used. It must not be shut down, nor its event loops,
    ///     before the delivery has come to its end.
    ///   - logger: Told of statuses that were lost, and with `isVerbose` of every post; never of plain failures.
    public init(_ configuration: TracingConfiguration, httpClient: HTTPClient? = nil, logger: Logger? = nil) {
        self.configuration = configuration
        self.logger = logger
        http = GatewayHTTP(client: httpClient)
        loop = HTTPClient.defaultEventLoopGroup.any()
        let prefix = String(UInt64.random(in: .min ... .max), radix: 36)
        locked = Mutex(Shared(state: DeliveryState(configuration, idPrefix: prefix)))
    }

    // MARK: Lines

    /// Takes a line to be sent; it never waits and never fails.
    ///
    /// The line's rollout is its first `rollout_id` tag; a line without one is not sent.
    ///
    /// - Parameters:
    ///   - attempt: Sent along as `extras.rollcall.attempt`.
    ///   - destination: The gateway; that of the configuration without it.
    public func enqueue(_ line: LogLine, attempt: AttemptID? = nil, destination: LogDestination? = nil) {
        guard let rolloutID = Self.rolloutID(of: line) else { return }
        let posts = locked.withLock { shared in
            let now = ContinuousClock.now
            _ = shared.state.enqueue(
                line, rolloutID: rolloutID, attempt: attempt, destination: destination ?? configuration.destination,
                now: now)
            return startPosts(&shared, now: now)
        }
        send(posts)
    }

    /// Sends a status, whatever the level of any logger; it is never refused, and it is sent until a gateway has it.
    ///
    /// - Parameters:
    ///   - message: The line's text; the status's own without it.
    ///   - extras: Further members of the line's `extras`.
    public func report(
        _ status: Status, for context: RolloutContext, message: String? = nil, extras: JSONObject = [:]
    ) {
        enqueue(
            Self.line(status, for: context, message: message, extras: extras), attempt: context.attempt,
            destination: context.destination)
    }

    static func line(_ status: Status, for context: RolloutContext, message: String?, extras: JSONObject) -> LogLine {
        var extras = extras
        extras["logger_name"] = extras["logger_name"] ?? "rollcall"
        extras["level"] = status.code == .running || status.isSuccess ? "INFO" : "ERROR"
        extras["timestamp"] = .string(LogTimestamp.now())
        return LogLine(
            message: message ?? status.message, tags: context.metadata.logTags, status: status, extras: extras)
    }

    static func rolloutID(of line: LogLine) -> String? {
        line.tags.first { $0.hasPrefix("rollout_id:") }.map { String($0.dropFirst("rollout_id:".count)) }
            .flatMap { $0.isEmpty ? nil : $0 }
    }

    // MARK: What is known

    /// Calls `handler` with every line that a gateway has taken from now on, soon after it has.
    ///
    /// This is how an environment learns that its attempt is no longer current or has been ended by the gateway.
    /// The handler must return quickly; calls may overlap.
    public func onAnswer(_ handler: @escaping @Sendable (DeliveredLine) -> Void) {
        locked.withLock { $0.handlers.append(handler) }
    }

    /// Whether a gateway of this origin (`scheme://host[:port]`, lower case) has answered a line with an `attempt`.
    public func knowsAttempts(origin: String) -> Bool { locked.withLock { $0.state.knowsAttempts(origin: origin) } }

    /// Whether more statuses wait than the configuration allows; an environment should accept no more rollouts then.
    public var isOverloaded: Bool { locked.withLock { $0.state.isOverloaded } }

    /// What has been done and what waits.
    public var statistics: DeliveryStatistics { locked.withLock { $0.state.statistics } }

    /// Failed once a status has been lost, until the process ends.
    public var health: DeliveryHealth { locked.withLock { $0.state.health } }

    // MARK: Running

    /// Waits for a graceful shutdown, or to be cancelled, and then delivers what waits, for `shutdownTimeout` at most.
    public func run() async throws {
        // Cancellation is the other way to say that it is over.
        try? await gracefulShutdown()
        let left = await flush(within: configuration.shutdownTimeout)
        if left > 0 {
            Self.$isDelivering.withValue(true) {
                logger?.warning("\(left) log lines were not delivered before the shutdown")
            }
        }
    }

    func tell(_ effects: DeliveryState.Effects, handlers: [@Sendable (DeliveredLine) -> Void]) {
        Self.$isDelivering.withValue(true) {
            for line in effects.delivered { for handler in handlers { handler(line) } }
            for problem in effects.problems { logger?.error("\(problem)") }
        }
    }

    func tellOfPost(_ url: String, lines: Int, outcome: PostOutcome) {
        guard configuration.isVerbose else { return }
        let result =
            switch outcome {
            case .accepted, .results: "taken"
            case .refused(let code, _, let reason, _): "\(code) \(reason)"
            case .failed(let reason): reason
            }
        Self.$isDelivering.withValue(true) { logger?.notice("POST \(url) with \(lines) lines: \(result)") }
    }
}
