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
        /// Bytes of the messages that no call of the conversation had before.
        var added: Int
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

    /// What a rollout's only attempt is to be ended for by the gateway itself, with the reason that it gives.
    enum Bound: String, Sendable, CaseIterable {
        case deadline = "DEADLINE_PASSED"
        case lease = "LEASE_EXPIRED"
        case budget = "BUDGET_CALLS"

        var code: Int {
            switch self {
            case .deadline: 4
            case .lease: 14
            case .budget: 8
            }
        }
    }

    /// A bound that was asked for.
    struct Term: Sendable {
        var bound: Bound
        /// Seconds, or calls.
        var amount: Int
        var isAcknowledged = false
        /// Calls that a budget counts: those that were sent, and of them those that the model has answered.
        var sentCalls = 0
        var answeredCalls = 0
    }

    struct State: Sendable {
        var calls: [String: Call] = [:]
        var lines: [String: Line] = [:]
        var statuses: [Place: [Status]] = [:]
        /// The terminal status of each attempt that has one for sure.
        var finals: [Place: [Status]] = [:]
        var terms: [Place: Term] = [:]
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

    // MARK: Bounds

    func send(_ term: Term, of place: Place) { state.withLock { $0.terms[place] = term } }

    func acknowledgeTerm(of place: Place) { state.withLock { $0.terms[place]?.isAcknowledged = true } }

    func term(of place: Place) -> Term? { state.withLock { $0.terms[place] } }

    func sendBudgetedCall(of place: Place) { state.withLock { $0.terms[place]?.sentCalls += 1 } }

    func completeBudgetedCall(of place: Place) { state.withLock { $0.terms[place]?.answeredCalls += 1 } }

    // MARK: The model

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
