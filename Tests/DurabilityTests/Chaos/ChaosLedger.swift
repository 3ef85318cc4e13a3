// Part of Rollcall. SPDX-License-Identifier: Apache-2.0

import Synchronization

/// What clients have sent and seen, and what the model got, kept by the test itself.
final class ChaosLedger: Sendable {
    /// A rollout of an account. Both accounts have rollouts of the same names.
    struct Place: Sendable, Hashable, CustomStringConvertible {
        var account: Int
        var rollout: String

        var description: String { "\(rollout) of account \(account)" }
    }

    struct Call: Sendable {
        var place: Place
        var attempt: String?
        var body: [UInt8]
        var wish: ChaosModel.Wish
        /// The client has seen its whole answer.
        var isComplete = false
        /// The model got the client's bytes.
        var hasArrived = false
    }

    struct Line: Sendable {
        var place: Place
        var isAcknowledged = false
    }

    /// A status that was acknowledged as the one that counts.
    struct Status: Sendable, Hashable, CustomStringConvertible {
        var attempt: String?
        var code: Int

        var description: String { "\(code) of \(attempt ?? "no attempt")" }
    }

    struct State: Sendable {
        var calls: [String: Call] = [:]
        var lines: [String: Line] = [:]
        var statuses: [Place: [Status]] = [:]
        /// The terminal status of each attempt that has one for sure.
        var finals: [Place: [Status]] = [:]
        var faults: [String] = []
        var serial = 0
        /// What came about how often, for the report.
        var counts: [String: Int] = [:]
    }

    private let state = Mutex(State())

    var contents: State { state.withLock { $0 } }
    var callCount: Int { state.withLock { $0.calls.count } }
    var faults: [String] { state.withLock { $0.faults } }

    func next(_ what: String) -> String {
        state.withLock { state in
            state.serial += 1
            return "\(what)\(state.serial)"
        }
    }

    func count(_ what: String) { state.withLock { $0.counts[what, default: 0] += 1 } }

    func fault(_ sentence: String) { state.withLock { $0.faults.append(sentence) } }

    func send(_ call: Call) { state.withLock { $0.calls[call.wish.call] = call } }

    func complete(_ call: String) { state.withLock { $0.calls[call]?.isComplete = true } }

    func send(line: String, of place: Place) { state.withLock { $0.lines[line] = Line(place: place) } }

    func acknowledge(line: String) { state.withLock { $0.lines[line]?.isAcknowledged = true } }

    func acknowledge(_ status: Status, of place: Place) {
        state.withLock { $0.statuses[place, default: []].append(status) }
    }

    func end(_ place: Place, _ status: Status) { state.withLock { $0.finals[place, default: []].append(status) } }

    func modelGot(_ body: [UInt8], of call: String) {
        state.withLock { state in
            if state.calls[call]?.body == body {
                state.calls[call]?.hasArrived = true
            } else {
                state.faults.append("the model got something else of \(call)")
            }
        }
    }
}
