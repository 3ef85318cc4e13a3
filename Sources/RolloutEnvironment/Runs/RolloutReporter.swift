// Part of Rollcall. SPDX-License-Identifier: Apache-2.0

package import EvalProtocol
package import Logging
package import RolloutTracing
package import WireJSON

/// What carries a rollout's statuses and log lines: a ``LogDelivery`` in production, a list in tests.
package protocol RolloutReporter: Sendable {
    /// Whether too many statuses wait for another rollout to begin.
    var isOverloaded: Bool { get }

    func knowsAttempts(origin: String) -> Bool

    /// Brings a status to the gateway and waits for its answer.
    func deliver(
        _ status: Status, for context: RolloutContext, message: String, within limit: Duration
    ) async
        -> DeliveryResult

    /// Sends a status sooner or later, in order, without fail.
    func report(_ status: Status, for context: RolloutContext, message: String, extras: JSONObject)

    /// Sends a finished line of the rollout, under its attempt.
    func send(_ line: LogLine, for context: RolloutContext)

    /// Waits until the rollout's lines so far are delivered, or `limit` has passed.
    func waitForLines(of context: RolloutContext, within limit: Duration) async

    func logHandler(for context: RolloutContext, label: String, level: Logger.Level) -> any LogHandler
}

extension RolloutReporter {
    /// Sends a terminal status with what goes along with it. The Python client shows the line's message, not the status's.
    func reportEnd(_ status: Status, for context: RolloutContext) {
        report(
            status, for: context, message: status.lineMessage ?? status.message,
            extras: status.extras.removing(["rollcall"]))
    }
}

/// Reports through a ``LogDelivery``.
struct DeliveryReporter: RolloutReporter {
    let delivery: LogDelivery
    /// What a RUNNING line promises.
    let lease: Duration?

    var isOverloaded: Bool { delivery.isOverloaded }

    func knowsAttempts(origin: String) -> Bool { delivery.knowsAttempts(origin: origin) }

    func deliver(
        _ status: Status, for context: RolloutContext, message: String, within limit: Duration
    ) async -> DeliveryResult {
        let extras = status.code == .running ? lease.map(LogDelivery.extras(lease:)) : nil
        return await delivery.deliver(status, for: context, message: message, extras: extras ?? [:], within: limit)
    }

    func report(_ status: Status, for context: RolloutContext, message: String, extras: JSONObject) {
        delivery.report(status, for: context, message: message, extras: extras)
    }

    func send(_ line: LogLine, for context: RolloutContext) {
        delivery.enqueue(line, attempt: context.attempt, destination: context.destination)
    }

    func waitForLines(of context: RolloutContext, within limit: Duration) async {
        await delivery.flush(rolloutID: context.rolloutID, within: limit)
    }

    func logHandler(for context: RolloutContext, label: String, level: Logger.Level) -> any LogHandler {
        RolloutLogHandler(label: label, delivery: delivery, rollout: context, level: level)
    }
}
