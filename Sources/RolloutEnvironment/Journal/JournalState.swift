// Part of Rollcall. SPDX-License-Identifier: Apache-2.0

/// What the lines of a journal come to: the rollouts of which something is still to be reported.
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
        case .processStarted(let key, let process):
            guard live[key] != nil else { return false }
            live[key]?.record.processes.append(process)
        case .processEnded(let key, let identifier):
            guard live[key]?.record.processes.contains(where: { $0.identifier == identifier }) == true else {
                return false
            }
            live[key]?.record.processes.removeAll { $0.identifier == identifier }
        case .ended(let key, let status):
            guard live[key] != nil else { return false }
            live[key]?.record.end = status
        case .delivered(let key):
            // What was delivered of one that goes on was not its end.
            guard live[key]?.record.end != nil else { return false }
            live[key] = nil
        case .forgotten(let key):
            return live.removeValue(forKey: key) != nil
        }
        return true
    }
}
