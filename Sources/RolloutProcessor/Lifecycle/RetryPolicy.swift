// Part of Rollcall. SPDX-License-Identifier: Apache-2.0

/// How often and how soon a rollout is tried again.
public struct RetryPolicy: Sendable, Hashable {
    /// Times `/init` is sent at most, the first one included.
    public var attempts: Int
    /// The wait before the second attempt; it doubles with each further one.
    public var initialBackoff: Duration
    /// The longest wait that is not the server's own `Retry-After`.
    public var maximumBackoff: Duration

    public init(
        attempts: Int = 3, initialBackoff: Duration = .milliseconds(500), maximumBackoff: Duration = .seconds(30)
    ) {
        self.attempts = max(1, attempts)
        self.initialBackoff = initialBackoff
        self.maximumBackoff = maximumBackoff
    }

    /// The wait after `tries` attempts: between half and one and a half of the doubled backoff, so that many rollouts
    /// that fail together do not come back together; never less than what the server asked for.
    package func backoff(afterTries tries: Int, random: Double, retryAfter: Duration?) -> Duration {
        var wait = initialBackoff
        for _ in 1..<max(1, min(tries, 32)) where wait < maximumBackoff { wait *= 2 }
        wait = min(wait, maximumBackoff) * (0.5 + random)
        return max(wait, retryAfter ?? .zero)
    }
}
