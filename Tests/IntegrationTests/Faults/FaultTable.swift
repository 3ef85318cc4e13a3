// Part of Rollcall. SPDX-License-Identifier: Apache-2.0

/// How a rollout of the fault test may end, by what it does and by what was done to the servers meanwhile.
enum FaultTable {
    typealias Ending = FaultLedger.Ending

    /// What was done while a rollout ran.
    enum Disturbance: Sendable, Hashable { case environmentKilled, environmentStopped, gatewayDown }

    static func endings(
        of execution: FaultLedger.Execution, with disturbances: Set<Disturbance>
    ) -> Set<Ending> {
        var endings = undisturbed(execution)
        for disturbance in disturbances {
            switch disturbance {
            case .environmentKilled:
                // Whichever comes first: the next environment's report, or the end of the lease.
                endings.insert(Ending(code: 14, reason: "ENVIRONMENT_RESTARTED"))
                endings.insert(Ending(code: 14, reason: "LEASE_EXPIRED"))
            case .environmentStopped:
                endings.insert(Ending(code: 14, reason: "ENVIRONMENT_STOPPED"))
                // The end could not be delivered before it was gone.
                if disturbances.contains(.gatewayDown) { endings.insert(Ending(code: 14, reason: "LEASE_EXPIRED")) }
            case .gatewayDown:
                // The agent's model call failed, and with it the agent.
                endings.insert(Ending(code: 13, reason: "PROCESS_EXITED"))
            }
        }
        return endings
    }

    private static func undisturbed(_ execution: FaultLedger.Execution) -> Set<Ending> {
        let code = execution.role.code
        return switch execution.role.behaviour {
        case .finishes, .floods, .binary, .leaks, .stays: [Ending(code: 100)]
        case .fails, .exits: [Ending(code: 13, reason: "PROCESS_EXITED")]
        case .closes, .forks: [code == 0 ? Ending(code: 100) : Ending(code: 13, reason: "PROCESS_EXITED")]
        case .hangs, .deaf: [Ending(code: 4, reason: "DEADLINE_PASSED")]
        case .waits where execution.cancellation == "cancelled": [Ending(code: 1, reason: "CANCELLED")]
        case .waits where execution.wasCancelled:
            // It had ended before, or the answer was lost.
            [Ending(code: 1, reason: "CANCELLED"), Ending(code: 4, reason: "DEADLINE_PASSED")]
        case .waits: [Ending(code: 4, reason: "DEADLINE_PASSED")]
        case .killed: [Ending(code: 14, reason: "PROCESS_KILLED")]
        case .crashes: [Ending(code: 10, reason: "PROCESS_CRASHED")]
        case .hungry: [Ending(code: 8, reason: "PROCESS_MEMORY_LIMIT")]
        case .reports, .says: [Ending(code: code, reason: [100, 102].contains(code) ? nil : "AGENT_REPORTED")]
        }
    }
}
