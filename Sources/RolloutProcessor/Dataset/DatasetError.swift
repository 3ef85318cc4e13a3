// Part of Rollcall. SPDX-License-Identifier: Apache-2.0

/// A data set that cannot be read, with the place.
public struct DatasetError: Error, Sendable, Hashable, CustomStringConvertible {
    public let path: String
    /// The line, counted from 1; `nil` when the file as a whole is meant.
    public let line: Int?
    public let reason: String

    public init(path: String, line: Int? = nil, reason: String) {
        self.path = path
        self.line = line
        self.reason = reason
    }

    public var description: String {
        if let line { "\(path), line \(line): \(reason)" } else { "\(path): \(reason)" }
    }
}
