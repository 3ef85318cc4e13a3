// Part of Rollcall. SPDX-License-Identifier: Apache-2.0

/// Tells by the clock's ticks when no task can run, without looking itself.
///
/// Ticks and not times are counted: a process that was stopped as a whole, or a machine that slept, has blocked nothing.
package struct StallDetector: Sendable {
    package enum Finding: Sendable, Hashable {
        /// Nothing new.
        case nothing
        /// A task is to be started that says when it runs.
        case probe
        /// No task has run for this many ticks; `isNew` the first time that this stall is found.
        case stalled(ticks: Int, isNew: Bool, isToBeSaid: Bool)
    }

    private let limit: Int
    private let pause: Int
    private var isProbing = false
    private var ticks = 0
    private var isFound = false
    private var ticksSinceSaid: Int?

    /// - Parameters:
    ///   - limit: After so many ticks without a task running there is a stall.
    ///   - pause: So many ticks pass between two times that it is to be said.
    package init(limit: Int, pause: Int) {
        self.limit = max(1, limit)
        self.pause = pause
    }

    package mutating func tick() -> Finding {
        if let said = ticksSinceSaid { ticksSinceSaid = said + 1 }
        guard isProbing else {
            isProbing = true
            ticks = 0
            isFound = false
            return .probe
        }
        ticks += 1
        guard ticks >= limit else { return .nothing }
        let isNew = !isFound
        isFound = true
        let isToBeSaid = ticksSinceSaid.map { $0 >= pause } ?? true
        if isToBeSaid { ticksSinceSaid = 0 }
        return isNew || isToBeSaid ? .stalled(ticks: ticks, isNew: isNew, isToBeSaid: isToBeSaid) : .nothing
    }

    /// The task of the last probe has run.
    package mutating func answered() { isProbing = false }
}
