// Part of Rollcall. SPDX-License-Identifier: Apache-2.0

public import EvalProtocol

/// The rollouts of each row of a data set: so many a row, every time in a run of its own.
///
/// Rows are read only as tasks are asked for.
public struct RolloutTasks<Rows: AsyncSequence & Sendable>: AsyncSequence, Sendable
where Rows.Element == EvaluationRow {
    public typealias Element = RolloutTask
    public typealias Failure = any Error

    private let rows: Rows
    private let parameters: CompletionParameters
    private let runIDs: [String]

    /// - Parameter runs: Rollouts of each row, at least 1.
    public init(_ rows: Rows, parameters: CompletionParameters, runs: Int = 1) {
        self.rows = rows
        self.parameters = parameters
        runIDs = (0..<Swift.max(1, runs)).map { _ in Identifier.random() }
    }

    public func makeAsyncIterator() -> Iterator {
        Iterator(rows: rows.makeAsyncIterator(), parameters: parameters, runIDs: runIDs)
    }

    public struct Iterator: AsyncIteratorProtocol {
        private var rows: Rows.AsyncIterator
        private let parameters: CompletionParameters
        private let runIDs: [String]
        private var row: EvaluationRow?
        private var nextRun = 0

        init(rows: Rows.AsyncIterator, parameters: CompletionParameters, runIDs: [String]) {
            self.rows = rows
            self.parameters = parameters
            self.runIDs = runIDs
        }

        public mutating func next() async throws -> RolloutTask? {
            if row == nil || nextRun == runIDs.count {
                row = try await rows.next()
                nextRun = 0
            }
            guard let row else { return nil }
            defer { nextRun += 1 }
            return RolloutTask(row: row, parameters: parameters, runID: runIDs[nextRun])
        }
    }
}
