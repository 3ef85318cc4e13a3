// Part of Rollcall. SPDX-License-Identifier: Apache-2.0

/// Pauses that double with every failure in a row, each shortened at random by up to half.
public struct Backoff: Sendable, Hashable {
    /// The first pause, before it is shortened.
    public var first: Duration
    /// The longest pause.
    public var longest: Duration
    /// The longest `Retry-After` that is honoured in full.
    public var longestRetryAfter: Duration

    public init(
        first: Duration = .milliseconds(200), longest: Duration = .seconds(10),
        longestRetryAfter: Duration = .seconds(60)
    ) {
        self.first = first
        self.longest = longest
        self.longestRetryAfter = longestRetryAfter
    }

    /// The pause after `failures` failures in a row.
    ///
    /// - Parameters:
    ///   - retryAfter: What the gateway asked for; the pause is not shorter.
    ///   - jitter: A random number from 0 to 1.
    public func pause(afterFailures failures: Int, retryAfter: Duration? = nil, jitter: Double) -> Duration {
        let doublings = min(max(failures, 1) - 1, 20)
        let pause = min(first * (1 << doublings), longest) * (1 - jitter / 2)
        guard let retryAfter else { return pause }
        return max(pause, min(retryAfter, longestRetryAfter))
    }
}
