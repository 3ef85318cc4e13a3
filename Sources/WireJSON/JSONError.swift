// Part of Rollcall. SPDX-License-Identifier: Apache-2.0

/// Bytes that are not JSON, or are nested more deeply than allowed.
public struct JSONError: Error, Sendable, Hashable, CustomStringConvertible {
    /// Where in the bytes.
    public let offset: Int
    /// What is wrong there, as the rest of a sentence that begins with the place.
    public let reason: String

    public init(offset: Int, reason: String) {
        self.offset = offset
        self.reason = reason
    }

    public var description: String { "not valid JSON at byte \(offset): \(reason)" }
}
