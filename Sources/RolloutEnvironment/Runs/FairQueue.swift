// Part of Rollcall. SPDX-License-Identifier: Apache-2.0

/// Those who wait for a place, fair between experiments: whoever has the fewest running is next, and among equals whoever
/// has waited longest for a turn. Within an experiment it is first come, first served.
package struct FairQueue: Sendable {
    package typealias Key = RolloutRegistry.Key

    private var waiting: [String: [Key]] = [:]
    /// The experiments that wait, those whose last turn is longest ago first.
    private var experiments: [String] = []

    package private(set) var count = 0
    package var isEmpty: Bool { count == 0 }
    package var keys: [Key] { experiments.flatMap { waiting[$0] ?? [] } }

    package init() {}

    package mutating func append(_ key: Key, of experiment: String) {
        if waiting[experiment] == nil { experiments.append(experiment) }
        waiting[experiment, default: []].append(key)
        count += 1
    }

    package mutating func remove(_ key: Key, of experiment: String) {
        guard let index = waiting[experiment]?.firstIndex(of: key) else { return }
        waiting[experiment]?.remove(at: index)
        count -= 1
        guard waiting[experiment]?.isEmpty == true else { return }
        waiting[experiment] = nil
        experiments.removeAll { $0 == experiment }
    }

    /// Takes the next one.
    ///
    /// - Parameter running: How many of an experiment run.
    package mutating func next(running: (String) -> Int) -> Key? {
        // The first of the smallest: `min` keeps the order.
        guard let experiment = experiments.min(by: { running($0) < running($1) }), let key = waiting[experiment]?.first
        else { return nil }
        remove(key, of: experiment)
        if let index = experiments.firstIndex(of: experiment) {
            experiments.append(experiments.remove(at: index))
        }
        return key
    }
}
