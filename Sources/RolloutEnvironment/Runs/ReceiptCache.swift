// Part of Rollcall. SPDX-License-Identifier: Apache-2.0

package import EvalProtocol

/// How ended executions ended: the last so many, least recently asked for first out.
package struct ReceiptCache: Sendable {
    package typealias Key = RolloutRegistry.Key

    private let capacity: Int
    private var entries: [Key: (status: Status, stamp: UInt64)] = [:]
    private var latest: [String: AttemptID] = [:]
    // Uses in order; an entry's older uses stay in here until they come to the front.
    private var uses: [(key: Key, stamp: UInt64)] = []
    private var front = 0
    private var stamp: UInt64 = 0

    package init(capacity: Int) { self.capacity = max(1, capacity) }

    package var count: Int { entries.count }

    package mutating func insert(_ status: Status, for key: Key) {
        entries[key] = (status, 0)
        latest[key.rolloutID] = key.attempt
        touch(key)
        while entries.count > capacity { evict() }
    }

    package mutating func status(of key: Key) -> Status? {
        guard let status = entries[key]?.status else { return nil }
        touch(key)
        return status
    }

    /// The execution of a rollout that ended last.
    package func latest(of rolloutID: String) -> (key: Key, status: Status)? {
        guard let attempt = latest[rolloutID] else { return nil }
        let key = Key(rolloutID: rolloutID, attempt: attempt)
        return entries[key].map { (key, $0.status) }
    }

    private mutating func touch(_ key: Key) {
        stamp += 1
        entries[key]?.stamp = stamp
        uses.append((key, stamp))
        // Old uses of much-asked entries must not pile up.
        guard uses.count - front > 2 * capacity + 16 else { return }
        uses = uses[front...].filter { entries[$0.key]?.stamp == $0.stamp }
        front = 0
    }

    private mutating func evict() {
        while front < uses.count {
            let use = uses[front]
            front += 1
            guard entries[use.key]?.stamp == use.stamp else { continue }
            entries[use.key] = nil
            if latest[use.key.rolloutID] == use.key.attempt { latest[use.key.rolloutID] = nil }
            break
        }
        if front > capacity {
            uses.removeFirst(front)
            front = 0
        }
    }
}
