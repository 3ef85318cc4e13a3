// Part of Rollcall. SPDX-License-Identifier: Apache-2.0

package import EvalProtocol
import Synchronization

/// The one ``WatchTable``, for all threads: asked by each call and line, told by the writer what has been stored.
package final class RolloutWatch: Sendable {
    private let table = Mutex(WatchTable())
    /// Nothing is watched: calls and lines need not ask.
    private let isIdle = Atomic(true)

    private let maximumRollouts: Int
    private let maximumEndless: Int

    /// - Parameters:
    ///   - maximumRollouts: As many with a deadline or a lease are watched at once.
    ///   - maximumEndless: As many others, which may never end.
    package init(maximumRollouts: Int, maximumEndless: Int) {
        self.maximumRollouts = maximumRollouts
        self.maximumEndless = maximumEndless
    }

    package var count: Int { isIdle.load(ordering: .relaxed) ? 0 : table.withLock { $0.count } }

    /// Whether there is room for one more.
    ///
    /// - Parameter endless: one with neither a deadline nor a lease.
    package func hasRoom(endless: Bool) -> Bool {
        guard !isIdle.load(ordering: .relaxed) else { return true }
        return table.withLock { table in
            endless
                ? table.endlessCount < maximumEndless
                : table.count - table.endlessCount < maximumRollouts
        }
    }

    /// What has been stored, in its order.
    package func publish(_ states: [(RolloutKey, RolloutState)], deleted: [RolloutKey] = [], wallTime: Int64) {
        guard !isIdle.load(ordering: .acquiring) || states.contains(where: { $0.1.terms.areWatched }) else { return }
        change { table in
            for rollout in deleted { table.forget(rollout) }
            for (rollout, state) in states { table.update(rollout, state, wallTime: wallTime) }
        }
    }

    /// Goes on with what an earlier gateway watched over: leases begin anew, deadlines are over in ten seconds at the
    /// soonest.
    package func resume(_ states: [(RolloutKey, RolloutState)], wallTime: Int64) {
        change { table in
            for (rollout, state) in states {
                table.update(rollout, state, wallTime: wallTime, grace: 10_000_000)
            }
        }
    }

    package func renew(_ rollout: RolloutKey, attempt: AttemptID?) {
        guard !isIdle.load(ordering: .acquiring) else { return }
        table.withLock { $0.renew(rollout, attempt: attempt) }
    }

    package func admit(_ rollout: RolloutKey, attempt: AttemptID?) -> WatchTable.Admission {
        guard !isIdle.load(ordering: .acquiring) else { return .free }
        return table.withLock { $0.admit(rollout, attempt: attempt) }
    }

    package func capture(of rollout: RolloutKey, attempt: AttemptID?) -> Capture? {
        guard !isIdle.load(ordering: .acquiring) else { return nil }
        return table.withLock { $0.capture(of: rollout, attempt: attempt) }
    }

    package func takeBack(_ rollout: RolloutKey, attempt: Int) {
        table.withLock { $0.takeBack(rollout, attempt: attempt) }
    }

    package func advance(by microseconds: Int64) -> [Verdict] { change { $0.advance(by: microseconds) } }

    private func change<T: Sendable>(_ body: (inout sending WatchTable) -> sending T) -> T {
        table.withLock { table in
            defer { isIdle.store(table.isEmpty, ordering: .releasing) }
            return body(&table)
        }
    }
}
