// Part of Rollcall. SPDX-License-Identifier: Apache-2.0

import NIOCore
import TraceStore

/// Lets the time of watched rollouts go on for as long as the gateway takes in what would keep them alive.
struct Timekeeper: Sendable {
    let ledger: TraceLedger
    let group: any EventLoopGroup

    private static let tick = Duration.microseconds(WatchTable.tick)

    /// Returns when the task is cancelled.
    func run() async {
        var last = ContinuousClock.now
        while (try? await Task.sleep(for: Self.tick)) != nil {
            // A loop that comes late has taken in nothing meanwhile.
            for loop in group.makeIterator() { try? await loop.submit {}.get() }
            let now = ContinuousClock.now
            // What takes longer than a few ticks was a standstill of the program or of the machine.
            let elapsed = min(now - last, Self.tick * 3)
            last = now
            if ledger.health.isHealthy { ledger.advanceWatch(by: elapsed) }
        }
    }
}
