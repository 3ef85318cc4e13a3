// Part of Rollcall. SPDX-License-Identifier: Apache-2.0

import EvalProtocol
import WireJSON

/// A status as the gateway told it.
struct StatusReport: Sendable {
    /// How the gateway names the attempt that the status is of.
    enum Attempt: Sendable, Hashable {
        case number(Int)
        case name(String)
    }

    var rolloutID: String
    var attempt: Attempt?
    var status: Status
    var extras: JSONObject?

    /// Whether the status is of this execution and not of an earlier one.
    func concerns(_ execution: RolloutExecution) -> Bool {
        guard rolloutID == execution.rolloutID else { return false }
        guard let own = execution.attempt else { return true }
        return switch attempt {
        case nil: true
        case .name(let name): name == own.description
        case .number(let number): number >= execution.number ?? number
        }
    }
}
