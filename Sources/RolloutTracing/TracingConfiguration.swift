// Part of Rollcall. SPDX-License-Identifier: Apache-2.0

/// Where log lines go and within which bounds.
public struct TracingConfiguration: Sendable {
    /// The gateway used when nothing else is known: Fireworks' hosted one.
    public static let hostedGatewayURL = "https://tracing.fireworks.ai"

    /// The gateway, when it has been set; `nil` leads to ``hostedGatewayURL`` where no other is known.
    public var gatewayURL: String?

    /// The key of that gateway.
    public var apiKey: String?

    /// The rollout of lines that say nothing about their rollout.
    public var rolloutID: String?

    /// Whether each post and its answer are logged; set by `EP_DEBUG=true`.
    public var isVerbose = false

    /// Plain lines that wait at once, over all rollouts; more are refused and counted.
    public var queueCapacity = 20_000

    /// Bytes of plain lines that wait at once.
    public var queueBytes = 64 << 20

    /// Plain lines of one rollout that wait at once.
    public var rolloutCapacity = 5_000

    /// How many statuses may wait before ``LogDelivery/isOverloaded`` says so; none is ever refused.
    public var statusesWaiting = 4_096

    /// Lines in one batch, 1,000 at most.
    public var batchSize = 500

    /// Bytes in one batch.
    public var batchBytes = 1 << 20

    /// Batches on their way to one gateway at once.
    public var concurrentBatches = 4

    /// Single posts on their way to one gateway at once.
    public var concurrentPosts = 64

    /// How long the gateway may take to answer a post.
    public var requestTimeout: Duration = .seconds(10)

    /// The pauses between repeated posts.
    public var backoff = Backoff()

    /// How long ``LogDelivery/run()`` goes on delivering once a graceful shutdown has begun.
    public var shutdownTimeout: Duration = .seconds(5)

    /// A configuration for `gatewayURL`, or one without a gateway.
    public init(gatewayURL: String? = nil, apiKey: String? = nil) {
        self.gatewayURL = gatewayURL
        self.apiKey = apiKey
    }

    /// Reads what the Python handler reads: `FW_TRACING_GATEWAY_BASE_URL`, `FIREWORKS_API_KEY`, `EP_ROLLOUT_ID`
    /// and `EP_DEBUG`; empty variables count as unset.
    public init(environment: [String: String]) {
        func variable(_ name: String) -> String? { environment[name].flatMap { $0.isEmpty ? nil : $0 } }
        gatewayURL = variable("FW_TRACING_GATEWAY_BASE_URL")
        apiKey = variable("FIREWORKS_API_KEY")
        rolloutID = variable("EP_ROLLOUT_ID")
        isVerbose = variable("EP_DEBUG")?.lowercased() == "true"
    }

    /// The gateway of lines whose rollout names none.
    public var destination: LogDestination {
        LogDestination(gatewayURL: gatewayURL ?? Self.hostedGatewayURL, apiKey: apiKey)
    }
}
