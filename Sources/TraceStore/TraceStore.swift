// Part of Rollcall. SPDX-License-Identifier: Apache-2.0

package import EvalProtocol

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

    /// The states of all rollouts that match, oldest first.
    func states(matching filter: RolloutFilter, account: Account) async throws -> [(RolloutKey, RolloutState)]

    /// Log lines that match, newest first.
    func logs(_ query: LogQuery) async throws -> [StoredLog]

    /// The ids of recorded calls that match, newest first.
    func calls(_ query: CallQuery) async throws -> [Int64]

    /// One call, its request put together again byte for byte.
    func call(_ id: Int64, account: Account) async throws -> StoredCall?

    /// Everything that a rollout's page shows, `nil` when nothing is known of it.
    func page(of rollout: RolloutKey) async throws -> RolloutPage?

    /// Status events after `sequence`, oldest first, at most `limit`; `nil` when `sequence` is unknown, newer than
    /// the newest or older than what is kept.
    func events(after sequence: Int64, limit: Int, account: Account) async throws -> [StatusEvent]?

    /// The sequence of the newest event, 0 before the first.
    func newestEvent() async throws -> Int64

    /// Whether the store can be written to: throws when not.
    func check() async throws

    func close() throws(StoreError)
}

/// What a committed batch changed.
package struct CommittedBatch: Sendable {
    /// One for each record, in order.
    package var outcomes: [RecordOutcome]
    /// The new states of the rollouts that the batch touched.
    package var states: [(RolloutKey, RolloutState)]
    /// The status changes to tell subscribers, in commit order.
    package var events: [StatusEvent]

    package init(outcomes: [RecordOutcome], states: [(RolloutKey, RolloutState)], events: [StatusEvent]) {
        self.outcomes = outcomes
        self.states = states
        self.events = events
    }
}
