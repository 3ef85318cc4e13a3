// Part of Rollcall. SPDX-License-Identifier: Apache-2.0

import EvalProtocol
public import Logging
import WireJSON

/// A swift-log handler that sends the lines of rollouts to their gateway.
///
/// The rollout of a line is looked for in the log call's metadata (`rollout_id`, `experiment_id`, `run_id`), then in
/// ``RolloutContext/current``, then in the handler itself (its metadata, then the `rollout` it was made with), then in
/// the configuration's `rolloutID`. Lines outside any rollout are not sent.
///
/// A status in the log call's metadata sets the rollout's status:
///
///     logger.info("done", metadata: ["status": .status(.finished())])
///
/// The handler's level decides about such lines as about all others; ``LogDelivery/report(_:for:message:extras:)``
/// does not look at levels.
public struct RolloutLogHandler: LogHandler {
    public var logLevel: Logger.Level
    public var metadata: Logger.Metadata = [:]
    public var metadataProvider: Logger.MetadataProvider?

    private let label: String
    private let delivery: LogDelivery
    private let rollout: RolloutContext?

    /// - Parameters:
    ///   - label: The logger's name, sent as `extras.logger_name`.
    ///   - delivery: What brings the lines to their gateway.
    ///   - rollout: The rollout of lines for which neither the call nor the task names one.
    public init(
        label: String, delivery: LogDelivery, rollout: RolloutContext? = nil, level: Logger.Level = .info,
        metadataProvider: Logger.MetadataProvider? = nil
    ) {
        self.label = label
        self.delivery = delivery
        self.rollout = rollout
        logLevel = level
        self.metadataProvider = metadataProvider
    }

    public subscript(metadataKey key: String) -> Logger.Metadata.Value? {
        get { metadata[key] }
        set { metadata[key] = newValue }
    }

    /// Hands the line to the delivery; it never waits and never fails.
    public func log(event: LogEvent) {
        guard !LogDelivery.isDelivering else { return }
        var own = metadata
        if let provided = metadataProvider?.get() { own.merge(provided) { _, provided in provided } }
        let call = event.metadata ?? [:]
        guard
            let origin = LineOrigin(
                call: call, task: RolloutContext.current, own: own, rollout: rollout,
                configuredRolloutID: delivery.configuration.rolloutID)
        else { return }

        var merged = own.merging(call) { _, call in call }
        if let error = event.error {
            merged["error.message"] = "\(error)"
            merged["error.type"] = "\(String(reflecting: type(of: error)))"
        }
        // A status of the handler's own would end the rollout with every line: the call's alone counts.
        let status = call["status"].flatMap(Status.init(metadataValue:))
        if status != nil { merged["status"] = nil }
        for key in LineOrigin.metadataKeys { merged[key] = nil }
        var extras = merged.jsonObject
        extras["logger_name"] = .string(label)
        extras["level"] = .string(event.level.rawValue.uppercased())
        extras["timestamp"] = .string(LogTimestamp.now())
        delivery.enqueue(
            LogLine(message: event.message.description, tags: origin.tags, status: status, extras: extras),
            attempt: origin.attempt, destination: origin.destination)
    }
}
