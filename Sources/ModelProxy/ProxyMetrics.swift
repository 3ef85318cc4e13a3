// Part of Rollcall. SPDX-License-Identifier: Apache-2.0

import CoreMetrics
import Synchronization

/// What the calls of all event loops tell.
final class ProxyMetrics: Sendable {
    private let loopLag: Timer
    private let waiting = Atomic<Int>(0)
    private let factory: any MetricsFactory

    init(_ factory: any MetricsFactory) {
        self.factory = factory
        loopLag = Timer(label: "rollcall_event_loop_lag_seconds", dimensions: [], factory: factory)
    }

    /// An event loop came so much later than it was to.
    func lagged(_ nanoseconds: Int64) { loopLag.recordNanoseconds(max(0, nanoseconds)) }

    /// So many more calls of an event loop wait for a connection to their upstream, or fewer.
    func waitingChanged(by count: Int) { waiting.add(count, ordering: .relaxed) }

    var waitingForUpstream: Int { waiting.load(ordering: .relaxed) }

    /// The gateway itself answered a call, with this code.
    func answered(_ problem: GatewayProblem) {
        Counter(
            label: "rollcall_call_problems_total",
            dimensions: [("code", problem.code), ("status", "\(problem.status)")], factory: factory
        ).increment()
    }
}
