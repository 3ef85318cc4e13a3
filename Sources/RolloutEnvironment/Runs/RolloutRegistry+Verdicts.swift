// Part of Rollcall. SPDX-License-Identifier: Apache-2.0

import EvalProtocol
import RolloutTracing

extension RolloutRegistry {
    /// Stops the agent of an attempt that the gateway has ended, or that is no longer the newest.
    func heed(_ line: DeliveredLine) {
        guard let attempt = line.attempt, line.status?.isTerminal != true else { return }
        let key = Key(rolloutID: line.rolloutID, attempt: attempt)
        if let final = line.answer.final {
            // While the attempt lives here, no terminal status of ours is on its way.
            stop(key, .endedByGateway(final))
        } else if line.answer.current == false {
            stop(key, FailureReason.superseded.status("The gateway knows a newer attempt of the rollout."))
        }
    }
}
