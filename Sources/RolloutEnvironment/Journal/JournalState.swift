// Part of Rollcall. SPDX-License-Identifier: Apache-2.0

/// What the lines of a journal come to: the rollouts of which something is still to be reported, or to be put away.
package struct JournalState: Sendable {
    package typealias Key = RolloutRegistry.Key

    private var live: [Key: (record: JournalRecord, number: Int)] = [:]
    private var lastNumber = 0

    package init() {}

    /// Reads a whole journal; lines that were not written whole are passed over and counted.
    package init(replaying bytes: some Collection<UInt8>, damaged: inout Int) {
        for line in bytes.split(separator: UInt8(ascii: "\n")) {
            if let entry = JournalEntry(line: line) { apply(entry) } else { damaged += 1 }
        }
    }

    /// In the order of their acceptance.
    package var records: [JournalRecord] { live.values.sorted { $0.number < $1.number }.map(\.record) }

    /// The shortest journal that comes to this.
    package var snapshot: [UInt8] { records.flatMap { JournalEntry.accepted($0).line } }

    /// - Returns: Whether the entry says anything: one about a rollout that is not there does not.
    @discardableResult
    package mutating func apply(_ entry: JournalEntry) -> Bool {
        switch entry {
        case .accepted(let record):
            lastNumber += 1
            live[record.key] = (record, lastNumber)
        case .begun(let key):
            guard live[key] != nil else { return false }
            live[key]?.record.hasBegun = true
        case .commandStarting(let key, let command):
            guard live[key] != nil else { return false }
            live[key]?.record.commands.append(command)
        case .commandStarted(let key, let marker, let process):
            guard let index = index(of: marker, in: key) else { return false }
            live[key]?.record.commands[index].process = process
        case .commandEnded(let key, let marker):
            guard let index = index(of: marker, in: key) else { return false }
            live[key]?.record.commands.remove(at: index)
            removeIfDone(key)
        case .ended(let key, let status):
            guard live[key] != nil else { return false }
            live[key]?.record.end = status
        case .delivered(let key):
            // What was delivered of one that goes on was not its end.
            guard live[key]?.record.end != nil else { return false }
            live[key]?.record.isReported = true
            removeIfDone(key)
        case .forgotten(let key):
            guard live[key] != nil else { return false }
            live[key]?.record.isReported = true
            removeIfDone(key)
        }
        return true
    }

    private func index(of marker: String, in key: Key) -> Int? {
        live[key]?.record.commands.firstIndex { $0.marker == marker }
    }

    /// An end may be reported while its command still ends.
    private mutating func removeIfDone(_ key: Key) {
        if let record = live[key]?.record, record.isReported, record.commands.isEmpty { live[key] = nil }
    }
}
