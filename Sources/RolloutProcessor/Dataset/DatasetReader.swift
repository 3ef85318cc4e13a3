// Part of Rollcall. SPDX-License-Identifier: Apache-2.0

public import EvalProtocol
import WireJSON

/// The rows of a JSON Lines file, read one line at a time.
///
/// A line is an ``EvaluationRow`` or any object with `messages`; what else it holds stays in the row. Empty lines are
/// skipped. A line that is no row ends the sequence with a ``DatasetError`` that names file and line.
public struct DatasetReader: AsyncSequence, Sendable {
    public typealias Element = EvaluationRow
    public typealias Failure = any Error

    /// The longest line taken, in bytes.
    public static let maximumLineBytes = 64 << 20

    public let path: String

    /// - Throws: ``DatasetError`` when there is no readable file of that name.
    public init(path: String) throws {
        self.path = path
        _ = try FileLines(path: path)
    }

    public func makeAsyncIterator() -> Iterator { Iterator(path: path) }

    public struct Iterator: AsyncIteratorProtocol {
        private let path: String
        private var lines: FileLines?
        private var line = 0

        init(path: String) { self.path = path }

        public mutating func next() async throws -> EvaluationRow? {
            if lines == nil { lines = try FileLines(path: path) }
            while let bytes = try lines?.next() {
                line += 1
                let isBlank = bytes.allSatisfy { $0 == 0x20 || $0 == 0x09 || $0 == 0x0D }
                if isBlank { continue }
                do {
                    return try EvaluationRow(parsing: bytes)
                } catch {
                    throw DatasetError(path: path, line: line, reason: "\(error)")
                }
            }
            return nil
        }
    }
}
