// Part of Rollcall. SPDX-License-Identifier: Apache-2.0

extension RolloutEnvironment {
    /// A setting that an environment cannot be served with.
    public struct ConfigurationError: Error, Sendable, Hashable, CustomStringConvertible {
        /// The settings that can be wrong.
        public enum Setting: String, Sendable, Hashable {
            /// `pathSecret`.
            case pathSecret
            /// The certificate of `tls`.
            case tlsCertificate = "tls.certificate"
            /// The key of `tls`.
            case tlsKey = "tls.key"
        }

        /// Which one is wrong.
        public let setting: Setting
        /// What is wrong with it and what to do, without any secret.
        public let reason: String

        init(_ setting: Setting, _ reason: String) {
            self.setting = setting
            self.reason = reason
        }

        public var description: String { "\(setting.rawValue): \(reason)" }
    }
}
