// Part of Rollcall. SPDX-License-Identifier: Apache-2.0

/// A dictionary that forgets what has not been used for longest, bounded by the number of entries and by their cost.
///
/// Public, though nobody outside the package sees it, for only then is it inlinable: every call is looked up in several
/// of them, and what is not made for its types is several times slower.
public struct BoundedCache<Key: Hashable, Value> {
    @usableFromInline
    struct Node {
        @usableFromInline var key: Key
        @usableFromInline var value: Value
        @usableFromInline var cost: Int
        @usableFromInline var newer: Int
        @usableFromInline var older: Int

        @inlinable
        init(key: Key, value: Value, cost: Int) {
            self.key = key
            self.value = value
            self.cost = cost
            newer = -1
            older = -1
        }
    }

    public let maximumCount: Int
    public let maximumCost: Int
    @usableFromInline var total = 0
    @usableFromInline var slots: [Node?] = []
    @usableFromInline var free: [Int] = []
    @usableFromInline var index: [Key: Int] = [:]
    @usableFromInline var newest = -1
    @usableFromInline var oldest = -1

    @inlinable
    public init(maximumCount: Int, maximumCost: Int = .max) {
        self.maximumCount = maximumCount
        self.maximumCost = maximumCost
    }

    public var count: Int { index.count }

    public var isEmpty: Bool { index.isEmpty }

    public var cost: Int { total }

    /// The value, which counts as used now.
    @inlinable
    public mutating func value(for key: Key) -> Value? {
        guard let slot = index[key] else { return nil }
        if slot != newest {
            unlink(slot)
            link(slot)
        }
        return slots[slot]?.value
    }

    @inlinable
    public mutating func set(_ value: Value, for key: Key, cost newCost: Int = 1) {
        if let slot = index[key] {
            total += newCost - (slots[slot]?.cost ?? 0)
            slots[slot]?.value = value
            slots[slot]?.cost = newCost
            if slot != newest {
                unlink(slot)
                link(slot)
            }
        } else {
            let slot = free.popLast() ?? slots.count
            let node = Node(key: key, value: value, cost: newCost)
            if slot == slots.count { slots.append(node) } else { slots[slot] = node }
            index[key] = slot
            total += newCost
            link(slot)
        }
        // The newest stays whatever it costs: it is in use.
        while oldest != newest, index.count > maximumCount || total > maximumCost, let node = slots[oldest] {
            remove(node.key)
        }
    }

    @inlinable
    public mutating func remove(_ key: Key) {
        guard let slot = index.removeValue(forKey: key) else { return }
        unlink(slot)
        total -= slots[slot]?.cost ?? 0
        slots[slot] = nil
        free.append(slot)
    }

    @inlinable
    public mutating func removeAll() { self = Self(maximumCount: maximumCount, maximumCost: maximumCost) }

    @inlinable
    mutating func link(_ slot: Int) {
        slots[slot]?.newer = -1
        slots[slot]?.older = newest
        if newest >= 0 { slots[newest]?.newer = slot } else { oldest = slot }
        newest = slot
    }

    @inlinable
    mutating func unlink(_ slot: Int) {
        guard let newer = slots[slot]?.newer, let older = slots[slot]?.older else { return }
        if newer >= 0 { slots[newer]?.older = older } else { newest = older }
        if older >= 0 { slots[older]?.newer = newer } else { oldest = newer }
    }
}

extension BoundedCache: Sendable where Key: Sendable, Value: Sendable {}
extension BoundedCache.Node: Sendable where Key: Sendable, Value: Sendable {}
