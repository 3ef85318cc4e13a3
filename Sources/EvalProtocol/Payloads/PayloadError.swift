// Part of Rollcall. SPDX-License-Identifier: Apache-2.0

/// A payload of a trace that cannot be read.
public struct PayloadError: Error, Sendable, Hashable, CustomStringConvertible {
    /// What is wrong, in one sentence.
    public let description: String

    package init(_ description: String) { self.description = description }
}
