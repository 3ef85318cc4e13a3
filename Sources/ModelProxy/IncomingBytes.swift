// Part of Rollcall. SPDX-License-Identifier: Apache-2.0

import Synchronization

/// Bytes of all the request bodies that are in memory before what they ask for is done, bounded.
package final class IncomingBytes: Sendable {
    package let maximum: Int
    private let held = Atomic<Int>(0)

    package init(maximum: Int) { self.maximum = maximum }

    /// Takes note of so many more, or of fewer.
    ///
    /// - Returns: whether that many may be.
    @discardableResult
    package func add(_ bytes: Int) -> Bool { held.add(bytes, ordering: .relaxed).newValue <= maximum }
}
