// Part of Rollcall. SPDX-License-Identifier: Apache-2.0

import Synchronization

/// A bound on how many of something run at once.
final class Slots: Sendable {
    private let limit: Int
    private let used = Mutex(0)

    init(_ limit: Int) { self.limit = limit }

    /// How many are taken.
    var count: Int { used.withLock { $0 } }

    /// Takes a slot; `nil` when all are taken.
    func take() -> Slot? {
        let isFree = used.withLock { used in
            guard used < limit else { return false }
            used += 1
            return true
        }
        return isFree ? Slot(of: self) : nil
    }

    /// A taken slot, given back when nobody holds it any more: an answer that is never written gives it back, too.
    final class Slot: Sendable {
        private let slots: Slots

        fileprivate init(of slots: Slots) { self.slots = slots }

        deinit { slots.used.withLock { $0 -= 1 } }
    }
}
