// Part of Rollcall. SPDX-License-Identifier: Apache-2.0

/// What a ``LogDelivery`` has done so far and has still to do.
public struct DeliveryStatistics: Sendable, Hashable {
    /// Lines that a gateway has taken, those with a status among them.
    public var delivered = 0
    /// Plain lines that were lost: refused because the queue was full, or refused by the gateway.
    public var dropped = 0
    /// Plain lines that wait or are on their way.
    public var waiting = 0
    /// Lines with a status that wait or are on their way.
    public var statusesWaiting = 0
    /// Statuses that a gateway refused, in full and bare.
    public var statusesRefused = 0
    /// Posts that failed and were or will be repeated.
    public var retries = 0
    /// The last failure of a post, until one succeeds.
    public var lastFailure: String?

    public init() {}
}

/// Whether a ``LogDelivery`` does what it promises.
public enum DeliveryHealth: Sendable, Hashable {
    /// Everything is delivered, or will be once the gateway is there again.
    case healthy
    /// A status was lost, which nobody but a person can mend; the text says which and why.
    case failed(String)
}
