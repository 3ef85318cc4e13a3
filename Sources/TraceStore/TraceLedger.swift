// Part of Rollcall. SPDX-License-Identifier: Apache-2.0

package import CoreMetrics
package import EvalProtocol
package import Logging
import Synchronization

/// A store with its writer, its status board and its event feed: what the rest of the gateway talks to.
package final class TraceLedger: Sendable {
    package struct Configuration: Sendable {
        package var writer = TraceWriter.Limits()
        /// How long a caller waits for a commit before it answers that nothing was recorded.
        package var commitTimeout: Duration = .seconds(10)
        /// What the status board keeps in memory.
        package var maximumRollouts = 65_536
        package var maximumRolloutBytes = 64 << 20
        /// Rollouts that are watched at once: with a deadline or a lease, and without either.
        package var maximumWatched = 262_144
        package var maximumWatchedEndless = 65_536
        /// What the event feed keeps in memory.
        package var maximumEvents = 8_192
        package var maximumEventBytes = 32 << 20

        package init() {}
    }

    package let configuration: Configuration
    let store: any TraceStore
    let writer: TraceWriter
    let board: StatusBoard
    private let feed: EventFeed
    let watch: RolloutWatch
    private let counts: Mutex<BoundedCache<RolloutKey, CallCounts>>
    let logger: Logger

    private struct CallCounts: Sendable {
        var started = 0
        var unrecorded = 0
    }

    package init(
        store: any TraceStore, configuration: Configuration = .init(), logger: Logger,
        metrics: any MetricsFactory = NOOPMetricsHandler.instance
    ) {
        self.store = store
        self.configuration = configuration
        self.logger = logger
        let board = StatusBoard(
            maximumRollouts: configuration.maximumRollouts, maximumBytes: configuration.maximumRolloutBytes
        ) { try await store.state(of: $0) }
        let feed = EventFeed(
            maximumEvents: configuration.maximumEvents, maximumBytes: configuration.maximumEventBytes)
        let watch = RolloutWatch(
            maximumRollouts: configuration.maximumWatched, maximumEndless: configuration.maximumWatchedEndless)
        self.board = board
        self.feed = feed
        self.watch = watch
        counts = Mutex(BoundedCache(maximumCount: configuration.maximumRollouts))
        writer = TraceWriter(store: store, limits: configuration.writer, logger: logger, metrics: metrics) { batch in
            board.forget(batch.deleted)
            feed.forget(batch.deleted)
            watch.publish(batch.states, deleted: batch.deleted, wallTime: WallClock.now())
            board.publish(batch.states)
            feed.publish(batch.events)
        }
    }

    // MARK: Writing

    /// Whether records can be committed, or why not.
    package var health: StoreHealth { writer.health }

    /// Records, and their bytes, on their way to the store.
    package var held: (records: Int, bytes: Int) { writer.held }

    package var totals: CommittedTotals { writer.totals }

    package var storeSizes: StoreSizes { store.sizes }

    /// Room for one record; `nil` when there is none or the store is unhealthy.
    package func reserve(bytes: Int) -> Reservation? { writer.reserve(bytes: bytes) }

    /// Queues a record. `done` is called on the writer's thread once the record is durable and what it changed can be
    /// seen; it must not block.
    package func submit(
        _ record: StoreRecord, _ reservation: consuming Reservation,
        done: @escaping @Sendable (Result<RecordOutcome, StoreError>) -> Void
    ) {
        writer.submit(record, reservation, done: done)
    }

    /// Commits records in order and tells what became of each.
    ///
    /// A record that finds no room fails with `unavailable`, the others are committed all the same. Throws when none
    /// finds room, and when the commit takes longer than ``Configuration/commitTimeout``.
    package func commit(_ records: [StoreRecord]) async throws -> [Result<RecordOutcome, StoreError>] {
        guard !records.isEmpty else { return [] }
        let group = CommitGroup(count: records.count)
        var admitted = 0
        for (index, record) in records.enumerated() {
            renewLease(record)
            if let terms = record.terms, !watch.hasRoom(endless: terms.isEndless) {
                admitted += 1
                group.complete(index, .failure(terms.isEndless ? tooManyEndless : tooManyWatched))
            } else if let reservation = writer.reserve(bytes: record.byteCount, countless: record.decidesStatus) {
                admitted += 1
                writer.submit(record, reservation) { group.complete(index, $0) }
            } else {
                group.complete(index, .failure(noRoom))
            }
        }
        if admitted == 0 { throw noRoom }
        return try await group.results(within: configuration.commitTimeout)
    }

    /// Why a healthy store has no room.
    package static let tooManyRecords =
        "too many records wait to be stored (the bounds are --max-pending-records and --max-pending-bytes)"

    private var noRoom: StoreError {
        switch health {
        case .healthy: StoreError(.unavailable, "\(Self.tooManyRecords); send the request again later")
        case .unhealthy(let reason): StoreError(.unavailable, reason)
        }
    }

    private var tooManyWatched: StoreError {
        StoreError(
            .unavailable,
            "the gateway watches over \(configuration.maximumWatched) rollouts with deadlines or leases already, as many as "
                + "--max-watched-rollouts allows; send it again when some have ended")
    }

    private var tooManyEndless: StoreError {
        StoreError(
            .unavailable,
            "the gateway watches over \(configuration.maximumWatchedEndless) running rollouts already that have a budget "
                + "or a capture and no deadline, as many as --max-watched-without-deadline allows; add deadline_seconds, "
                + "and delete those that will never end")
    }

    /// Counts a call that begins, renews its attempt's lease, and looks whether its budget has room for it. A call that
    /// is let through and charged for, and fails, is to be taken back with ``takeBack(_:attempt:)``.
    ///
    /// - Parameter recorded: Whether it will be recorded when it ends; models and embeddings are not, and no budget
    ///   counts them.
    package func callStarts(
        _ rollout: RolloutKey, attempt: AttemptID?, recorded: Bool
    ) -> WatchTable.Admission {
        let admission = recorded ? watch.admit(rollout, attempt: attempt) : .free
        if case .refused(_, let verdict) = admission {
            if let verdict { pronounce(verdict) }
            return admission
        }
        counts.withLock { counts in
            var count = counts.value(for: rollout) ?? CallCounts()
            if recorded { count.started += 1 } else { count.unrecorded += 1 }
            counts.set(count, for: rollout)
        }
        return admission
    }

    /// What is to be captured of an attempt's calls, when its registration has said so.
    package func capture(of rollout: RolloutKey, attempt: AttemptID?) -> Capture? {
        watch.capture(of: rollout, attempt: attempt)
    }

    package func takeBack(_ rollout: RolloutKey, attempt: Int) { watch.takeBack(rollout, attempt: attempt) }

    /// Deletes rollouts whole; how many of them there were. Each in a commit of its own, for others wait for that.
    package func delete(_ deletions: [Deletion]) async throws -> Int {
        var count = 0
        for deletion in deletions {
            guard case .stored(let receipt)? = try await commit([.deletion(deletion)]).first?.get(),
                !receipt.duplicate
            else { continue }
            counts.withLock { $0.remove(deletion.rollout) }
            count += 1
        }
        return count
    }

    /// Deletes rollouts that match; how many.
    ///
    /// - Parameters:
    ///   - account: whose; `nil` for all accounts', where the filter is empty.
    ///   - silentSince: only those of which nothing has come since, in microseconds since 1970.
    package func deleteRollouts(
        matching filter: RolloutFilter = RolloutFilter(), account: Account? = nil, silentSince: Int64? = nil
    ) async throws -> Int {
        var count = 0
        var cursor: Int64?
        repeat {
            let found: [RolloutKey]
            if let account, !filter.isEmpty {
                let page = try await store.states(
                    matching: filter, account: account, after: cursor, limit: Self.pageOfDeletions)
                found = page.states.map(\.rollout)
                cursor = page.next
            } else {
                guard let silentSince else { return 0 }
                let page = try await store.rollouts(
                    silentSince: silentSince, after: cursor, limit: Self.pageOfDeletions)
                found = page.rollouts.filter { account == nil || $0.account == account }
                cursor = page.next
            }
            count += try await delete(found.map { Deletion($0, silentSince: silentSince) })
        } while cursor != nil
        return count
    }

    private static let pageOfDeletions = 256

    // MARK: Reading

    /// What is known of a rollout, from memory or by one indexed read.
    package func state(of rollout: RolloutKey) async throws -> RolloutState? { try await board.state(of: rollout) }

    /// The state as soon as it fulfils the condition, or as it is when the time is over or the ledger finishes.
    package func state(
        of rollout: RolloutKey, waiting duration: Duration,
        until condition: @escaping @Sendable (RolloutState?) -> Bool
    ) async throws -> RolloutState? {
        try await board.state(of: rollout, waiting: duration, until: condition)
    }

    /// Statuses of the matching rollouts: current ones and then new ones, or those after `sequence`.
    package func subscribe(
        _ filter: RolloutFilter, account: Account, after sequence: Int64? = nil
    ) -> StatusSubscription {
        StatusSubscription(filter: filter, account: account, resumption: sequence, feed: feed, store: store)
    }

    package func logs(_ query: LogQuery) async throws -> [StoredLog] { try await store.logs(query) }

    package func calls(_ query: CallQuery) async throws -> [Int64] { try await store.calls(query) }

    package func call(_ id: Int64, account: Account) async throws -> StoredCall? {
        try await store.call(id, account: account)
    }

    package func links(
        of rollout: RolloutKey, attempts: AttemptSelection, limit: Int
    ) async throws -> [CallLink] {
        try await store.links(of: rollout, attempts: attempts, limit: limit)
    }

    package func page(of rollout: RolloutKey) async throws -> RolloutPage? {
        guard var page = try await store.page(of: rollout) else { return nil }
        let count = counts.withLock { $0.value(for: rollout) }
        page.startedCalls = count?.started ?? 0
        page.unrecordedCalls = count?.unrecorded ?? 0
        return page
    }

    // MARK: The end

    /// Commits what is waiting, ends subscriptions and waits, and closes the store.
    package func finish() async {
        await writer.finish()
        feed.finish()
        board.finish()
        do throws(StoreError) {
            try store.close()
        } catch {
            logger.error("The store did not close cleanly: \(error.description)")
        }
    }
}

extension StoreRecord {
    fileprivate var decidesStatus: Bool {
        if case .log(let log) = self { log.code != nil } else { false }
    }

    /// What the rollout is to be watched for from then on by a record that may be refused. A line with a lease has a
    /// status, and those have no limit on their number.
    fileprivate var terms: RolloutTerms? {
        switch self {
        case .registration(let registration): registration.terms
        case .call, .amendment, .log, .verdict, .score, .deletion: nil
        }
    }
}
