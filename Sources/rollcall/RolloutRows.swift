// Part of Rollcall. SPDX-License-Identifier: Apache-2.0

import EvalProtocol
import Foundation
import RolloutProcessor

/// The rows that the command line names: one message, or a data set.
enum RolloutRows: AsyncSequence, Sendable {
    typealias Element = EvaluationRow

    case message(String)
    case dataset(DatasetReader)

    /// Reads all rows once, so that a bad line costs no rollout; `nil` for a source that can be read only once.
    func count() async throws -> Int? {
        guard case .dataset(let reader) = self else { return 1 }
        let path = URL(fileURLWithPath: reader.path).resolvingSymlinksInPath().path
        let attributes = try? FileManager.default.attributesOfItem(atPath: path)
        guard attributes?[.type] as? FileAttributeType == .typeRegular else { return nil }
        return try await reader.reduce(into: 0) { count, _ in count += 1 }
    }

    func makeAsyncIterator() -> Iterator {
        switch self {
        case .message(let text): Iterator(row: EvaluationRow(messages: [.user(text)]))
        case .dataset(let reader): Iterator(reader: reader.makeAsyncIterator())
        }
    }

    struct Iterator: AsyncIteratorProtocol {
        var row: EvaluationRow?
        var reader: DatasetReader.Iterator?

        mutating func next() async throws -> EvaluationRow? {
            if let row = row.take() { return row }
            return try await reader?.next()
        }
    }
}
