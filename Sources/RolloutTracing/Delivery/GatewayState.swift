// Part of Rollcall. SPDX-License-Identifier: Apache-2.0

/// The two routes that take single lines.
package enum LogRoute: String, Sendable {
    case logs = "/logs"
    case v1Logs = "/v1/logs"

    package var other: LogRoute { self == .logs ? .v1Logs : .logs }
}

/// What has been learned about the gateway at one address.
package struct GatewayCapabilities: Sendable, Equatable {
    /// The route that answered last.
    package var route = LogRoute.logs
    /// Whether its answers carry an `attempt`: then it is worth asking for batches.
    package var knowsAttempts = false
    /// Whether it has turned batches down.
    package var refusesBatches = false
    /// Lines in a batch; halved when one was too large, doubled when one got through.
    package var batchLimit: Int

    package var takesBatches: Bool { knowsAttempts && !refusesBatches }
}

/// The lines of one rollout for one gateway, which go out one after the other.
final class Lane {
    let gateway: Int
    let rolloutID: String
    /// Waiting, in order; those on their way are not among them.
    var items: [DeliveryItem] = []
    /// Plain lines waiting and on their way.
    var plainCount = 0
    /// Whether lines of it are on their way, so that no others may follow yet.
    var isBusy = false
    /// Whether it stands in its gateway's queue, or among those that pause.
    var isQueued = false
    var failures = 0
    var notBefore: ContinuousClock.Instant?
    /// Plain lines refused for want of room and not yet spoken of.
    var dropped = 0

    init(gateway: Int, rolloutID: String) {
        self.gateway = gateway
        self.rolloutID = rolloutID
    }

    var isDone: Bool { items.isEmpty && !isBusy && dropped == 0 }
}

/// What is under way between this process and one gateway.
final class GatewayState {
    let destination: LogDestination
    /// Lanes with lines that may go out, the next first.
    var ready: [Int] = []
    /// Lanes that pause because the gateway would not take their lines just now.
    var pausing: [Int] = []
    /// Posts on their way.
    var posts = 0
    /// Lanes that exist.
    var lanes = 0
    var failures = 0
    var notBefore: ContinuousClock.Instant?
    var lastPost: ContinuousClock.Instant?
    var lastFailure: String?

    init(destination: LogDestination) { self.destination = destination }
}
