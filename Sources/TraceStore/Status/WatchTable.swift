// Part of Rollcall. SPDX-License-Identifier: Apache-2.0

package import EvalProtocol

/// The running rollouts that have a deadline, a lease or a budget, and when each is over.
///
/// A value without I/O and without a clock: its time, in microseconds, goes on only with ``advance(by:)``, so that it
/// stands still while nothing can be taken in.
package struct WatchTable: Sendable {
    /// How often the time goes on, and so how late an end is noticed.
    package static let tick: Int64 = 200_000
    /// A verdict that has not been stored after this long is given once more.
    private static let repetition: Int64 = 1_000_000
    /// Nothing is looked at less often, so that what has ended is forgotten soon.
    private static let horizon: Int64 = 30_000_000
    private static let maximumEnded = 65_536

    package enum Admission: Sendable, Hashable {
        /// No budget counts the call.
        case free
        /// The call counts among those of the attempt with this number until it is taken back.
        case charged(attempt: Int)
        /// The budget is used up; the verdict, if there is one, is to be stored.
        case refused(Exhaustion, Verdict?)
    }

    /// The bound that an attempt has reached.
    package struct Exhaustion: Sendable, Hashable {
        package var limit: Budget.Limit
        package var bound: Int

        /// The bound that `spent` has reached, else the first there is.
        init?(of budget: Budget, by spent: Spending, isCertain: Bool = false) {
            let limit = budget.limit(reachedBy: spent)
            let first = isCertain ? Budget.Limit.allCases.first { budget[$0] != nil } : nil
            guard let limit = limit ?? first, let bound = budget[limit] else { return nil }
            self.limit = limit
            self.bound = bound
        }
    }

    private struct Entry: Sendable {
        var attempt: Int
        var name: String?
        var deadline: Int64?
        var lease: Lease?
        var budget: Budget?
        var capture: Capture?
        var spent: Spending
        /// Calls that were let through and have not failed.
        var calls: Int
        var exhaustion: Exhaustion?
        /// When a call was refused last.
        var refusedAt: Int64?
        /// Where in `buckets` it stands.
        var bucket: Int64?

        var due: Int64? {
            switch (deadline, lease?.due) {
            case (let deadline?, let lease?): min(deadline, lease)
            case (let deadline, let lease): deadline ?? lease
            }
        }
    }

    private struct Lease: Sendable {
        var length: Int64
        var due: Int64
    }

    private struct Ended: Sendable {
        var name: String?
        var exhaustion: Exhaustion
    }

    private var time: Int64 = 0
    private var entries: [RolloutKey: Entry] = [:]
    /// The entries by the tick in which they are looked at next.
    private var buckets: [Int64: [RolloutKey]] = [:]
    /// Attempts that their budget has ended: their calls are refused on.
    private var ended = BoundedCache<RolloutKey, Ended>(maximumCount: Self.maximumEnded)

    package init() {}

    package var count: Int { entries.count }
    package var isEmpty: Bool { entries.isEmpty && ended.isEmpty }

    // MARK: What is watched

    /// Takes over what has become of a rollout.
    ///
    /// - Parameters:
    ///   - wallTime: now, in microseconds since 1970.
    ///   - grace: given to a deadline that is over or nearly so: the gateway has just started, and what would have ended
    ///     the rollout in time could not come.
    package mutating func update(_ rollout: RolloutKey, _ state: RolloutState, wallTime: Int64, grace: Int64 = 0) {
        let number = state.attempts.count
        let terms = state.terms
        let known = entries[rollout].flatMap { $0.attempt == number ? $0 : nil }
        guard terms.areWatched, state.status?.code.isTerminal != true else {
            entries[rollout] = nil
            end(rollout, state, known?.exhaustion)
            return
        }
        ended.remove(rollout)
        let spent = terms.spent ?? Spending()
        var entry = Entry(
            attempt: number, name: state.newestAttempt?.name, budget: terms.budget, capture: terms.capture,
            spent: spent,
            calls: max(known?.calls ?? 0, spent.calls), exhaustion: known?.exhaustion, refusedAt: known?.refusedAt,
            bucket: entries[rollout]?.bucket)
        entry.deadline = terms.deadline.map { min(known?.deadline ?? .max, time + max(grace, $0 - wallTime)) }
        entry.lease = terms.lease.map { length in
            let due = known?.lease.flatMap { $0.length == length ? $0.due : nil }
            return Lease(length: length, due: due ?? renewed(length))
        }
        entries[rollout] = entry
        schedule(rollout)
    }

    /// Remembers whose calls are to be refused.
    private mutating func end(_ rollout: RolloutKey, _ state: RolloutState, _ known: Exhaustion?) {
        ended.remove(rollout)
        guard let budget = state.terms.budget, let status = state.status, status.isVerdict,
            status.code == .resourceExhausted,
            let exhaustion = known ?? Exhaustion(of: budget, by: state.terms.spent ?? Spending(), isCertain: true)
        else { return }
        ended.set(Ended(name: state.newestAttempt?.name, exhaustion: exhaustion), for: rollout)
    }

    package mutating func forget(_ rollout: RolloutKey) {
        entries[rollout] = nil
        ended.remove(rollout)
    }

    // MARK: What comes

    /// A line came: the lease begins anew.
    package mutating func renew(_ rollout: RolloutKey, attempt name: AttemptID?) {
        guard let entry = entries[rollout], let lease = entry.lease, matches(name, entry.name) else { return }
        let due = renewed(lease.length)
        entries[rollout]?.lease?.due = due
    }

    /// A call that would be recorded came: it renews the lease, and counts where there is a budget.
    package mutating func admit(_ rollout: RolloutKey, attempt name: AttemptID?) -> Admission {
        guard let entry = entries[rollout] else {
            guard let ended = ended.value(for: rollout), matches(name, ended.name) else { return .free }
            return .refused(ended.exhaustion, nil)
        }
        guard matches(name, entry.name) else { return .free }
        renew(rollout, attempt: name)
        guard let budget = entry.budget else { return .free }
        var spent = entry.spent
        spent.calls = entry.calls
        guard let exhaustion = entry.exhaustion ?? Exhaustion(of: budget, by: spent) else {
            entries[rollout]?.calls += 1
            return .charged(attempt: entry.attempt)
        }
        entries[rollout]?.exhaustion = exhaustion
        let isGiven = entry.refusedAt.map { time - $0 < Self.repetition } ?? false
        if !isGiven { entries[rollout]?.refusedAt = time }
        return .refused(
            exhaustion,
            isGiven
                ? nil
                : Verdict(
                    rollout: rollout, attempt: entry.attempt, cause: .budget(exhaustion.limit, exhaustion.bound)))
    }

    /// What is to be captured of an attempt's calls, when its registration has said so.
    package func capture(of rollout: RolloutKey, attempt name: AttemptID?) -> Capture? {
        guard let entry = entries[rollout], matches(name, entry.name) else { return nil }
        return entry.capture
    }

    /// A call that was counted has failed: it counts no more.
    package mutating func takeBack(_ rollout: RolloutKey, attempt: Int) {
        guard let entry = entries[rollout], entry.attempt == attempt else { return }
        entries[rollout]?.calls = max(entry.spent.calls, entry.calls - 1)
    }

    // MARK: Time

    /// The time goes on; who is to be ended now.
    package mutating func advance(by duration: Int64) -> [Verdict] {
        let first = time / Self.tick
        time += duration
        let last = time / Self.tick
        guard first < last else { return [] }
        var verdicts: [Verdict] = []
        for bucket in first + 1...last {
            for rollout in buckets.removeValue(forKey: bucket) ?? [] {
                // One that was looked at earlier meanwhile stands elsewhere, too.
                guard let entry = entries[rollout], entry.bucket == bucket else { continue }
                entries[rollout]?.bucket = nil
                guard let due = entry.due, due <= time else {
                    schedule(rollout)
                    continue
                }
                let cause: Verdict.Cause =
                    if let deadline = entry.deadline, deadline <= time { .deadline } else {
                        .lease(entry.lease?.length ?? 0)
                    }
                verdicts.append(Verdict(rollout: rollout, attempt: entry.attempt, cause: cause))
                schedule(rollout, at: time + Self.repetition)
            }
        }
        return verdicts
    }

    // MARK: Steps

    /// The time is up to a tick behind.
    private func renewed(_ length: Int64) -> Int64 { time + Self.tick + length }

    /// What names no attempt belongs to the newest.
    private func matches(_ name: AttemptID?, _ newest: String?) -> Bool {
        guard let name else { return true }
        return name.description == newest
    }

    private mutating func schedule(_ rollout: RolloutKey, at other: Int64? = nil) {
        guard let entry = entries[rollout], let due = other ?? entry.due else { return }
        let bucket = min(max(due, time), time + Self.horizon) / Self.tick + 1
        if let earlier = entry.bucket, earlier <= bucket { return }
        entries[rollout]?.bucket = bucket
        buckets[bucket, default: []].append(rollout)
    }
}
