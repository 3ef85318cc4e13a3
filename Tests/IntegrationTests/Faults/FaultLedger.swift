// Part of Rollcall. SPDX-License-Identifier: Apache-2.0

import Synchronization

/// What callers have been told, and what was done to the servers, kept by the test itself.
final class FaultLedger: Sendable {
    typealias Instant = ContinuousClock.Instant

    /// A status, by its code and its reason.
    struct Ending: Sendable, Hashable, CustomStringConvertible {
        var code: Int
        var reason: String?

        var description: String { "\(code)\(reason.map { " \($0)" } ?? "")" }
    }

    /// An attempt that an environment has accepted: its caller was told so.
    struct Execution: Sendable {
        var role: FaultRole
        var attempt: String
        /// When the caller first asked for it.
        var asked: Instant
        /// When the caller was told that it is accepted.
        var accepted: Instant
        /// When the caller learned how it had ended.
        var ended: Instant?
        var ending: Ending?
        /// What a cancellation of it was answered; `nil` without one, or when its answer was lost.
        var cancellation: String?
        var wasCancelled = false
    }

    enum Target: String, Sendable, CaseIterable { case environment, gateway }

    /// Something that was done to a server, until it served again.
    struct Outage: Sendable {
        var target: Target
        /// By SIGKILL; otherwise it was told to end.
        var isKill: Bool
        var from: Instant
        var to: Instant
    }

    struct State: Sendable {
        var executions: [Execution] = []
        var outages: [Outage] = []
        var faults: [String] = []
        var counts: [String: Int] = [:]
    }

    private let state = Mutex(State())

    var contents: State { state.withLock { $0 } }

    func count(_ what: String) { state.withLock { $0.counts[what, default: 0] += 1 } }

    func fault(_ sentence: String) { state.withLock { $0.faults.append(sentence) } }

    func note(_ outage: Outage) { state.withLock { $0.outages.append(outage) } }

    /// - Returns: Where it stands.
    func note(_ execution: Execution) -> Int {
        state.withLock { state in
            state.executions.append(execution)
            return state.executions.count - 1
        }
    }

    func change(_ number: Int, _ change: (inout Execution) -> Void) {
        state.withLock { change(&$0.executions[number]) }
    }
}
