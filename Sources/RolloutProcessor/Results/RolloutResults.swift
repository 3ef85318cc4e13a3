// Part of Rollcall. SPDX-License-Identifier: Apache-2.0

public import EvalProtocol

/// The finished rows of many rollouts, in the order in which they end.
///
/// Rollouts begin when the first row is asked for. No more are in flight than the concurrency allows, and none begins
/// while that many results wait to be read, so a slow reader slows the rollouts and memory stays bounded. Giving up
/// the iterator cancels what is in flight. It can be iterated once; a second iterator does the rollouts again where
/// the source can be read again.
public struct RolloutResults: AsyncSequence, Sendable {
    public typealias Element = EvaluationRow
    public typealias Failure = any Error

    private let start: @Sendable (ResultQueue) -> Task<Void, Never>
    private let concurrency: Int

    init(concurrency: Int, start: @escaping @Sendable (ResultQueue) -> Task<Void, Never>) {
        self.concurrency = concurrency
        self.start = start
    }

    public func makeAsyncIterator() -> Iterator {
        Iterator(start: start, concurrency: concurrency)
    }

    public struct Iterator: AsyncIteratorProtocol {
        private let start: @Sendable (ResultQueue) -> Task<Void, Never>
        private let concurrency: Int
        private var running: Running?

        init(start: @escaping @Sendable (ResultQueue) -> Task<Void, Never>, concurrency: Int) {
            self.start = start
            self.concurrency = concurrency
        }

        /// The next finished row, or `nil` after the last.
        ///
        /// - Throws: What the source of rows threw, after the rows in flight have ended; `CancellationError`.
        public mutating func next() async throws -> EvaluationRow? {
            let running: Running
            if let current = self.running {
                running = current
            } else {
                let queue = ResultQueue(places: Swift.max(1, concurrency))
                running = Running(queue: queue, task: start(queue))
                self.running = running
            }
            return try await running.queue.next()
        }
    }

    /// Cancels the rollouts in flight when the last iterator is gone.
    private final class Running: Sendable {
        let queue: ResultQueue
        let task: Task<Void, Never>

        init(queue: ResultQueue, task: Task<Void, Never>) {
            self.queue = queue
            self.task = task
        }

        deinit {
            queue.finish(.failure(CancellationError()))
            task.cancel()
        }
    }
}
