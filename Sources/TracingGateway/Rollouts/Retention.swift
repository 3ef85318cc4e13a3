// Part of Rollcall. SPDX-License-Identifier: Apache-2.0

import Logging
import TraceStore

/// Deletes the rollouts of which nothing has come for a time, as long as the gateway runs.
struct Retention: Sendable {
    let duration: Duration
    let ledger: TraceLedger
    let logger: Logger

    /// Returns when the task is cancelled.
    func run() async {
        while !Task.isCancelled {
            do {
                let cutoff = WallClock.now() - Int64(duration / .microseconds(1))
                let count = try await ledger.deleteRollouts(silentSince: cutoff)
                if count > 0 {
                    logger.info("\(count) rollouts were deleted, of which nothing had come for \(duration)")
                }
            } catch is CancellationError {
                return
            } catch {
                // The next time may find the store well again.
                logger.warning("old rollouts could not be deleted: \(error)")
            }
            guard (try? await Task.sleep(for: interval)) != nil else { return }
        }
    }

    /// Often enough that nothing is kept a tenth longer than it should be, but no more than once a second.
    private var interval: Duration { max(.seconds(1), min(.seconds(3600), duration / 10)) }
}
