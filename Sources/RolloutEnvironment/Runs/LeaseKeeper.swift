// Part of Rollcall. SPDX-License-Identifier: Apache-2.0

import NIOCore
import RolloutTracing
import Synchronization

/// Renews the leases of accepted rollouts at their gateways, for as long as there are any.
///
/// On an event loop and not in a task: an agent that blocks the threads of tasks must not be taken for dead.
final class LeaseKeeper: Sendable {
    private let lease: Duration
    private let loop: any EventLoop
    private let rollouts: @Sendable () -> [RolloutContext]
    private let renew: @Sendable ([RolloutContext]) -> Void
    private let timer = Mutex<RepeatedTask?>(nil)

    /// - Parameters:
    ///   - rollouts: those that are accepted and have not ended.
    ///   - renew: renews their leases without waiting for it.
    init(
        lease: Duration, loop: any EventLoop, rollouts: @escaping @Sendable () -> [RolloutContext],
        renew: @escaping @Sendable ([RolloutContext]) -> Void
    ) {
        self.lease = lease
        self.loop = loop
        self.rollouts = rollouts
        self.renew = renew
    }

    /// To be called when a rollout has come to those that are accepted.
    func start() {
        // Two renewals may be lost before a lease expires.
        let pause = TimeAmount(lease / 3)
        timer.withLock { timer in
            guard timer == nil else { return }
            timer = loop.scheduleRepeatedTask(initialDelay: pause, delay: pause) { [weak self] task in
                guard let self else { return task.cancel() }
                tick(task)
            }
        }
    }

    private func tick(_ task: RepeatedTask) {
        // Looked at under the lock that ``start()`` takes, so that no rollout falls between.
        let rollouts = timer.withLock { timer in
            let rollouts = self.rollouts()
            if rollouts.isEmpty {
                task.cancel()
                timer = nil
            }
            return rollouts
        }
        if !rollouts.isEmpty { renew(rollouts) }
    }
}
