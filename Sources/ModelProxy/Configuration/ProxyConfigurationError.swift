// Part of Rollcall. SPDX-License-Identifier: Apache-2.0

/// A setting of the gateway that cannot be used.
package struct ProxyConfigurationError: Error, Sendable, Hashable, CustomStringConvertible {
    /// The flag, or variable, that was wrong.
    package let flag: String
    /// What is wrong and what to write instead; without keys.
    package let message: String

    package init(flag: String, _ message: String) {
        self.flag = flag
        self.message = message
    }

    package var description: String { "\(flag): \(message)" }
}
