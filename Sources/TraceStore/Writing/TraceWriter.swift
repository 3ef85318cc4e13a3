// Part of Rollcall. SPDX-License-Identifier: Apache-2.0

package import CoreMetrics
import Dispatch
import Foundation
package import Logging
import Synchronization

#if canImport(Darwin)
import Darwin
#elseif canImport(Musl)
import Musl
#else
import Glibc
#endif

/// Commits records on a thread of its own, in batches of whatever is waiting, and publishes what they changed before
/// it acknowledges them.
package final class TraceWriter: Sendable {
    package struct Limits: Sendable {
        /// Records and bytes that are reserved, waiting or being committed.
        package var maximumPendingRecords = 16_384
        package var maximumPendingBytes = 256 << 20
        /// What one transaction takes at most.
        package var maximumBatchRecords = 256
        package var maximumBatchBytes = 8 << 20
        /// Between two probes of a store that does not take writes.
        package var probeInterval: Duration = .milliseconds(250)

        package init() {}
    }

    package typealias Done = @Sendable (Result<RecordOutcome, StoreError>) -> Void

    private struct Job: Sendable {
        let record: StoreRecord
        let bytes: Int
        let done: Done
    }

    private struct State: Sendable {
        var pending: [Job] = []
        var heldRecords = 0
        var heldBytes = 0
        var health = StoreHealth.healthy
        var totals = CommittedTotals()
        /// The thread waits, or is about to wait, for the bell.
        var isWaiting = false
        var isClosing = false
        var hasEnded = false
        var enders: [CheckedContinuation<Void, Never>] = []
    }

    private enum Step {
        case commit([Job])
        case fail([Job], StoreError)
        case wait
        case end
    }

    private let store: any TraceStore
    private let limits: Limits
    private let publish: @Sendable (CommittedBatch) -> Void
    private let logger: Logger
    private let metrics: WriterMetrics
    private let state = Mutex(State())
    private let bell = DispatchSemaphore(value: 0)

    /// Starts the thread, which holds the writer until ``finish()``.
    package init(
        store: any TraceStore, limits: Limits, logger: Logger,
        metrics: any MetricsFactory = NOOPMetricsHandler.instance, publish: @escaping @Sendable (CommittedBatch) -> Void
    ) {
        self.store = store
        self.limits = limits
        self.logger = logger
        self.metrics = WriterMetrics(metrics)
        self.publish = publish
        let thread = Thread { self.run() }
        thread.name = "rollcall-store"
        thread.start()
    }

    package var health: StoreHealth { state.withLock { $0.health } }

    /// Records, and their bytes, that are reserved, waiting or being committed.
    package var held: (records: Int, bytes: Int) { state.withLock { ($0.heldRecords, $0.heldBytes) } }

    package var totals: CommittedTotals { state.withLock { $0.totals } }

    // MARK: Room

    /// Room for a record; `nil` when there is none or the store does not take writes. A line that decides how a
    /// rollout ended is not counted among the records, only its bytes are.
    package func reserve(bytes: Int, countless: Bool = false) -> Reservation? {
        let granted = state.withLock { state in
            guard state.health.isHealthy, !state.isClosing,
                countless || state.heldRecords < limits.maximumPendingRecords,
                state.heldBytes + bytes <= limits.maximumPendingBytes
            else { return false }
            state.heldRecords += 1
            state.heldBytes += bytes
            return true
        }
        guard granted else {
            metrics.refused()
            return nil
        }
        return Reservation(writer: self, bytes: bytes)
    }

    func grow(by bytes: Int) -> Bool {
        state.withLock { state in
            guard state.heldBytes + bytes <= limits.maximumPendingBytes else { return false }
            state.heldBytes += bytes
            return true
        }
    }

    func release(bytes: Int, records: Int) {
        state.withLock { state in
            state.heldBytes -= bytes
            state.heldRecords -= records
        }
    }

    // MARK: Submitting

    /// Queues the record. `done` is called on the writer's thread, once what the record changed can be seen in memory.
    package func submit(_ record: StoreRecord, _ reservation: consuming Reservation, done: @escaping Done) {
        let reserved = reservation.handOver()
        let bytes = record.byteCount
        let (accepted, wake) = state.withLock { state -> (Bool, Bool) in
            guard !state.hasEnded else {
                state.heldBytes -= reserved
                state.heldRecords -= 1
                return (false, false)
            }
            state.heldBytes += bytes - reserved
            state.pending.append(Job(record: record, bytes: bytes, done: done))
            defer { state.isWaiting = false }
            return (true, state.isWaiting)
        }
        if wake { bell.signal() }
        if !accepted { done(.failure(Self.closed)) }
    }

    /// Commits what is waiting, ends the thread and returns when it has ended.
    package func finish() async {
        await withCheckedContinuation { continuation in
            let hasEnded = state.withLock { state in
                state.isClosing = true
                if !state.hasEnded { state.enders.append(continuation) }
                return state.hasEnded
            }
            if hasEnded { continuation.resume() } else { bell.signal() }
        }
    }

    private static let closed = StoreError(
        .unavailable, "the gateway is shutting down and takes no more records; send the request again later")

    // MARK: The thread

    private func run() {
        var queue: ArraySlice<Job> = []
        var hasWritten = false
        while true {
            if queue.isEmpty { Self.giveWay() }
            switch nextStep(&queue) {
            case .commit(let jobs):
                commit(jobs[...], rest: &queue)
                hasWritten = true
            case .fail(let jobs, let error):
                for job in jobs { complete(job, .failure(error)) }
            case .wait:
                hasWritten = wait(hasWritten: hasWritten)
            case .end:
                let enders: [CheckedContinuation<Void, Never>]? = state.withLock { state in
                    // One more may have come since the queue was looked at.
                    guard state.pending.isEmpty else { return nil }
                    state.hasEnded = true
                    defer { state.enders = [] }
                    return state.enders
                }
                guard let enders else { continue }
                for ender in enders { ender.resume() }
                return
            }
        }
    }

    /// Lets threads run that wait for this one's core: what they submit belongs to the next batch, and large batches
    /// cost less. Where there are cores to spare it does nothing.
    private static func giveWay() {
        sched_yield()
        sched_yield()
    }

    private func nextStep(_ queue: inout ArraySlice<Job>) -> Step {
        let (health, isClosing) = state.withLock { state in
            if queue.isEmpty {
                queue = state.pending[...]
                state.pending = []
            }
            if queue.isEmpty, !state.isClosing { state.isWaiting = true }
            return (state.health, state.isClosing)
        }
        guard !queue.isEmpty else { return isClosing ? .end : .wait }
        if case .unhealthy(let reason) = health {
            defer { queue = [] }
            return .fail(Array(queue), StoreError(.unavailable, reason))
        }
        var bytes = 0
        let batch = queue.prefix(limits.maximumBatchRecords).prefix { job in
            defer { bytes += job.bytes }
            return bytes == 0 || bytes + job.bytes <= limits.maximumBatchBytes
        }
        queue = queue.dropFirst(batch.count)
        return .commit(Array(batch))
    }

    /// Waits for the bell, a second's rest or the next probe; whether there is still something to tidy up.
    private func wait(hasWritten: Bool) -> Bool {
        let isHealthy = health.isHealthy
        let timeout: DispatchTime =
            !isHealthy
            ? .now() + limits.probeInterval.dispatchInterval : hasWritten ? .now() + .seconds(1) : .distantFuture
        guard bell.wait(timeout: timeout) == .timedOut else { return hasWritten }
        state.withLock { $0.isWaiting = false }
        if isHealthy {
            store.rest()
            return false
        }
        do throws(StoreError) {
            try store.probe()
            state.withLock { $0.health = .healthy }
            logger.notice("The store takes writes again.")
        } catch {
            state.withLock { $0.health = .unhealthy(error.description) }
        }
        return hasWritten
    }

    private func commit(_ jobs: ArraySlice<Job>, rest queue: inout ArraySlice<Job>) {
        do throws(StoreError) {
            let records = jobs.map(\.record)
            let start = ContinuousClock.now
            let committed = try store.apply(records)
            metrics.committed(zip(records, committed.outcomes), in: ContinuousClock.now - start)
            state.withLock { $0.totals.add(records) }
            publish(committed)
            for (job, outcome) in zip(jobs, committed.outcomes) { complete(job, .success(outcome)) }
        } catch {
            metrics.failed()
            guard error.reason == .refused else { return failAll(jobs, &queue, error) }
            guard jobs.count > 1 else {
                for job in jobs { complete(job, .failure(error)) }
                return
            }
            // One record is at fault: halving finds it in few commits, and the others are kept in order.
            let middle = jobs.startIndex + jobs.count / 2
            commit(jobs[..<middle], rest: &queue)
            if health.isHealthy {
                commit(jobs[middle...], rest: &queue)
            } else {
                for job in jobs[middle...] { complete(job, .failure(error)) }
            }
        }
    }

    private func failAll(_ jobs: ArraySlice<Job>, _ queue: inout ArraySlice<Job>, _ error: StoreError) {
        logger.error("The store does not take writes: \(error.description)")
        state.withLock { $0.health = .unhealthy(error.description) }
        for job in jobs { complete(job, .failure(error)) }
        for job in queue { complete(job, .failure(error)) }
        queue = []
    }

    private func complete(_ job: Job, _ result: Result<RecordOutcome, StoreError>) {
        release(bytes: job.bytes, records: 1)
        job.done(result)
    }
}

extension Duration {
    fileprivate var dispatchInterval: DispatchTimeInterval {
        .nanoseconds(Int(components.seconds) * 1_000_000_000 + Int(components.attoseconds / 1_000_000_000))
    }
}
