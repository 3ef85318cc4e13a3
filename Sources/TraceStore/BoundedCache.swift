// Part of Rollcall. SPDX-License-Identifier: Apache-2.0

/// A dictionary that forgets what has not been used for longest, bounded by the number of entries and by their cost.
package struct BoundedCache<Key: Hashable, Value> {
    fileprivate struct Node {
        var key: Key
        var value: Value
        var cost: Int
        var newer: Int
        var older: Int
    }

    package let maximumCount: Int
    package let maximumCost: Int
    package private(set) var cost = 0
    private var slots: [Node?] = []
    private var free: [Int] = []
    private var index: [Key: Int] = [:]
    private var newest = -1
    private var oldest = -1

    package init(maximumCount: Int, maximumCost: Int = .max) {
        self.maximumCount = maximumCount
        self.maximumCost = maximumCost
    }

    package var count: Int { index.count }

    /// The value, which counts as used now.
    package mutating func value(for key: Key) -> Value? {
        guard let slot = index[key], let node = slots[slot] else { return nil }
        if slot != newest {
            unlink(slot)
            link(slot)
        }
        return node.value
    }

    package mutating func set(_ value: Value, for key: Key, cost newCost: Int = 1) {
        if let slot = index[key] {
            cost += newCost - (slots[slot]?.cost ?? 0)
            slots[slot]?.value = value
            slots[slot]?.cost = newCost
            if slot != newest {
                unlink(slot)
                link(slot)
            }
        } else {
            let slot = free.popLast() ?? slots.count
            let node = Node(key: key, value: value, cost: newCost, newer: -1, older: -1)
            if slot == slots.count { slots.append(node) } else { slots[slot] = node }
            index[key] = slot
            cost += newCost
            link(slot)
        }
        // The newest stays whatever it costs: it is in use.
        while oldest != newest, index.count > maximumCount || cost > maximumCost, let node = slots[oldest] {
            remove(node.key)
        }
    }

    package mutating func remove(_ key: Key) {
        guard let slot = index.removeValue(forKey: key) else { return }
        unlink(slot)
        cost -= slots[slot]?.cost ?? 0
        slots[slot] = nil
        free.append(slot)
    }

    package mutating func removeAll() { self = Self(maximumCount: maximumCount, maximumCost: maximumCost) }

    private mutating func link(_ slot: Int) {
        slots[slot]?.newer = -1
        slots[slot]?.older = newest
        if newest >= 0 { slots[newest]?.newer = slot } else { oldest = slot }
        newest = slot
    }

    private mutating func unlink(_ slot: Int) {
        guard let node = slots[slot] else { return }
        if node.newer >= 0 { slots[node.newer]?.older = node.older } else { newest = node.older }
        if node.older >= 0 { slots[node.older]?.newer = node.newer } else { oldest = node.newer }
    }
}

extension BoundedCache: Sendable where Key: Sendable, Value: Sendable {}
extension BoundedCache.Node: Sendable where Key: Sendable, Value: Sendable {}
