// Part of Rollcall. SPDX-License-Identifier: Apache-2.0

public import EvalProtocol
import NIOCore
import Synchronization
public import WireJSON

extension LogDelivery {
    /// Sends a status and waits for the gateway's answer to it.
    ///
    /// It goes ahead of other rollouts' lines and does not wait for a pause to end. Unless the gateway acknowledges
    /// it, the status is withdrawn when this returns: it will not be sent later. (A post on its way cannot be called
    /// back.) A cancelled task gets ``DeliveryResult/unreachable(reason:)`` at once.
    public func deliver(
        _ status: Status, for context: RolloutContext, message: String? = nil, extras: JSONObject = [:],
        within limit: Duration
    ) async -> DeliveryResult {
        let line = Self.line(status, for: context, message: message, extras: extras)
        let waiter = locked.withLock { shared in
            shared.lastWait += 1
            return shared.lastWait
        }
        return await withTaskCancellationHandler {
            await withCheckedContinuation { continuation in
                let posts: [DeliveryState.Post]? = locked.withLock { shared in
                    // Looked at under the lock that the cancellation handler takes, so that neither misses the other.
                    if Task.isCancelled { return nil }
                    let timeout = schedule(in: limit) { $0.withdraw(waiter, because: "no answer within \(limit)") }
                    shared.waits[waiter] = Wait(continuation: continuation, timeout: timeout)
                    let now = ContinuousClock.now
                    _ = shared.state.enqueue(
                        line, rolloutID: context.rolloutID, attempt: context.attempt,
                        destination: context.destination ?? configuration.destination, waiter: waiter, now: now)
                    return startPosts(&shared, now: now)
                }
                if let posts {
                    send(posts)
                } else {
                    continuation.resume(returning: .unreachable(reason: "the task was cancelled"))
                }
            }
        } onCancel: {
            withdraw(waiter, because: "the task was cancelled")
        }
    }

    private func withdraw(_ waiter: UInt64, because cause: String) {
        let (wait, reason, flushes, posts) = locked.withLock { shared in
            let wait = shared.waits.removeValue(forKey: waiter)
            let (reason, effects) = wait == nil ? (nil, .init()) : shared.state.withdraw(waiter)
            let flushes = effects.flushed.compactMap { shared.flushes.removeValue(forKey: $0) }
            return (wait, reason, flushes, startPosts(&shared, now: .now))
        }
        send(posts)
        wait?.timeout.cancel()
        wait?.continuation.resume(returning: .unreachable(reason: reason ?? cause))
        for flush in flushes { flush.end() }
    }

    /// Waits until everything that waits now has been delivered, or `limit` has passed.
    ///
    /// - Parameter rolloutID: Waits for the lines of that rollout alone.
    /// - Returns: How many of the lines are not delivered; they stay in the queue.
    @discardableResult
    public func flush(rolloutID: String? = nil, within limit: Duration) async -> Int {
        let flush = locked.withLock { shared in
            shared.lastWait += 1
            return shared.lastWait
        }
        await withCheckedContinuation { continuation in
            let posts: [DeliveryState.Post]? = locked.withLock { shared in
                let now = ContinuousClock.now
                guard shared.state.beginFlush(flush, rolloutID: rolloutID, now: now) else { return nil }
                let timeout = schedule(in: limit) { delivery in
                    delivery.locked.withLock { $0.flushes.removeValue(forKey: flush) }?.end()
                }
                shared.flushes[flush] = FlushWait(continuation: continuation, timeout: timeout)
                return startPosts(&shared, now: now)
            }
            if let posts {
                send(posts)
            } else {
                continuation.resume()
            }
        }
        return locked.withLock { $0.state.endFlush(flush) }
    }
}
