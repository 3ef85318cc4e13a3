// Part of Rollcall. SPDX-License-Identifier: Apache-2.0

public import Logging

extension RolloutProcessor {
    /// Where rollouts run and how they are waited for.
    public struct Configuration: Sendable {
        /// The environment's base URL; `/init` and `/cancel` are appended. Its path, where an environment may want a secret,
        /// is shown nowhere.
        public var environmentURL: String
        /// The bearer key for the environment, if it wants one.
        public var environmentKey: String?
        /// A file in PEM with certificates to trust for the environment, beside the system's.
        public var environmentCAFile: String?
        /// The gateway's base URL, with or without a final `/v1`.
        public var gatewayURL: String
        /// The key that travels in `/init`, for the model calls.
        public var apiKey: String?
        /// The bearer key for the gateway's status, logs and traces; by default ``apiKey``.
        public var gatewayKey: String?
        /// How long a rollout may take, retries included, by the monotonic clock.
        public var timeout: Duration = .seconds(600)
        public var retries = RetryPolicy()
        /// How often the status is asked for where the gateway pushes none.
        public var pollInterval: Duration = .seconds(1)
        /// Whether token ids, logprobs and routing data come with the trajectory.
        public var includePayloads = false
        /// Connections to the environment, and so `/init` calls, that may be open at once; 512 at most.
        public var maximumConnections = 512
        public var logger = Logger(label: "rollcall.processor", factory: { _ in SwiftLogNoOpLogHandler() })
        /// Hears of what becomes known about each rollout; called from any thread, and must not block.
        public var onProgress: (@Sendable (RolloutProgress) -> Void)?

        public init(environmentURL: String, gatewayURL: String, apiKey: String? = nil) {
            self.environmentURL = environmentURL
            self.gatewayURL = gatewayURL
            self.apiKey = apiKey
        }
    }
}
