// Part of Rollcall. SPDX-License-Identifier: Apache-2.0

/// A message that is not HTTP/1.1, or is so in a way that two readers could understand differently.
package struct FramingError: Error, Sendable, Hashable, CustomStringConvertible {
    package let description: String

    init(_ description: String) { self.description = description }
}
