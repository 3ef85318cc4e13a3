// Part of Rollcall. SPDX-License-Identifier: Apache-2.0

import Synchronization

/// A bound on how many of something run at once.
final class Slots: Sendable {
    private let limit: Int
    private let used = Mutex(0)

    init(_ limit: Int) { self.limit = limit }

    /// Takes a slot; false when all are taken.
    func take() -> Bool {
        used.withLock { used in
            guard used < limit else { return false }
            used += 1
            return true
        }
    }

    func giveBack() { used.withLock { $0 -= 1 } }
}
