// Part of Rollcall. SPDX-License-Identifier: Apache-2.0

/// A setting that a processor cannot work with.
public struct ConfigurationError: Error, Sendable, Hashable, CustomStringConvertible {
    /// The setting: `environment`, `gateway`, `environmentCAFile`.
    public let setting: String
    public let reason: String

    public init(setting: String, reason: String) {
        self.setting = setting
        self.reason = reason
    }

    public var description: String { "\(setting): \(reason)" }
}
