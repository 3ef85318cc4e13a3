// Part of Rollcall. SPDX-License-Identifier: Apache-2.0

/// The storage contract: commits batches in order, and reads back what was committed.
///
/// One writer calls ``apply(_:)``, from one thread; the reads come from anywhere, at the same time, and never block
/// the caller's thread.
package protocol TraceStore: Sendable {
    /// Commits the batch durably and in order, or not at all.
    ///
    /// The store decides attempts and statuses (``RolloutState``) in the same transaction. A record that is refused
    /// for its own fault does not fail the others. Blocks until the batch is on the disk.
    func apply(_ batch: [StoreRecord]) throws(StoreError) -> CommittedBatch

    /// The state of a rollout, `nil` when nothing is known of it. One indexed read.
    func state(of rollout: RolloutKey) async throws -> RolloutState?

    /// The states of rollouts that match, in the order they became known, at most `limit` after the `cursor` of the
    /// page before.
    func states(
        matching filter: RolloutFilter, account: Account, after cursor: Int64?, limit: Int
    ) async throws -> RolloutStates

    /// Rollouts of all accounts that ``RolloutWatch`` has to know of after a start: those that run and are watched, and
    /// those that a budget has ended, in the order they became known, at most `limit` after the `cursor` of the page
    /// before.
    func watchedRollouts(after cursor: Int64?, limit: Int) async throws -> RolloutStates

    /// Rollouts of all accounts that became known before `time` and of which nothing has come since, in the order they
    /// became known, at most `limit` of them looked at after the `cursor` of the page before.
    func rollouts(silentSince time: Int64, after cursor: Int64?, limit: Int) async throws -> SilentRollouts

    /// Log lines that match, newest first.
    func logs(_ query: LogQuery) async throws -> [StoredLog]

    /// The ids of recorded calls that match, newest first.
    func calls(_ query: CallQuery) async throws -> [Int64]

    /// One call, its request put together again byte for byte.
    func call(_ id: Int64, account: Account) async throws -> StoredCall?

    /// Everything that a rollout's page shows, `nil` when nothing is known of it.
    func page(of rollout: RolloutKey) async throws -> RolloutPage?

    /// Status events of all accounts after `sequence`, oldest first, at most `limit`; `nil` when `sequence` is unknown,
    /// newer than the newest or older than what is kept.
    func events(after sequence: Int64, limit: Int) async throws -> [StatusEvent]?

    /// The sequence of the newest event, 0 before the first.
    func newestEvent() async throws -> Int64

    /// How large it is on its disk.
    var sizes: StoreSizes { get }

    /// Whether the store takes writes again after it did not: throws while it does not. On the writer's thread.
    func probe() throws(StoreError)

    /// Nothing has come for a while: time for housekeeping. On the writer's thread.
    func rest()

    /// On the writer's thread or after it has ended.
    func close() throws(StoreError)
}

/// What a committed batch changed.
package struct CommittedBatch: Sendable {
    /// One for each record, in order.
    package var outcomes: [RecordOutcome]
    /// The new states of the rollouts that the batch changed.
    package var states: [(RolloutKey, RolloutState)]
    /// The status changes to tell subscribers, in commit order.
    package var events: [StatusEvent]
    /// The rollouts that are gone.
    package var deleted: [RolloutKey]

    package init(
        outcomes: [RecordOutcome], states: [(RolloutKey, RolloutState)], events: [StatusEvent],
        deleted: [RolloutKey] = []
    ) {
        self.outcomes = outcomes
        self.states = states
        self.events = events
        self.deleted = deleted
    }
}

/// Bytes of a store's files.
package struct StoreSizes: Sendable, Hashable {
    package var database: Int
    /// What was committed and has yet to be moved into the database stands here, and what has been.
    package var log: Int

    package init(database: Int, log: Int) {
        self.database = database
        self.log = log
    }
}

/// One page of rollouts of which nothing has come for a while.
package struct SilentRollouts: Sendable {
    package var rollouts: [RolloutKey]
    /// What the next page comes after; `nil` when there is nothing older to look at.
    package var next: Int64?

    package init(rollouts: [RolloutKey], next: Int64?) {
        self.rollouts = rollouts
        self.next = next
    }
}

/// One page of rollouts.
package struct RolloutStates: Sendable {
    package var states: [(rollout: RolloutKey, state: RolloutState)]
    /// What the next page comes after; `nil` on the last page.
    package var next: Int64?

    package init(states: [(rollout: RolloutKey, state: RolloutState)], next: Int64?) {
        self.states = states
        self.next = next
    }
}
