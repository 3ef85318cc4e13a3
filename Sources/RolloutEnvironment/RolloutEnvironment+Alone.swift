// Part of Rollcall. SPDX-License-Identifier: Apache-2.0

package import EvalProtocol
import Logging
import RolloutTracing
import WireJSON

extension RolloutEnvironment {
    /// How it went with the only rollout of an instance.
    package enum AloneOutcome: Sendable {
        /// Nothing was started; the answer is the one that `/init` gives.
        case refused(InitAnswer)
        /// It has ended, by now or earlier, and so many of its lines and statuses could not be delivered.
        case ended(rolloutID: String, attempt: AttemptID?, status: Status, undelivered: Int)
    }

    /// Runs one rollout to its end and delivers its log: for an instance that serves no other.
    ///
    /// - Parameter stop: Returns when the instance is to end; the rollout has the configuration's grace then.
    package func runAlone(_ body: [UInt8], until stop: @escaping @Sendable () async -> Void) async -> AloneOutcome {
        let answer = await handle(body)
        let said = try? JSONValue(parsing: answer.body)
        guard answer.status == 200, let rolloutID = said?["rollout_id"]?.string else { return .refused(answer) }
        let attempt = said?["attempt"]?.string.flatMap { AttemptID($0) }
        if let receipt = said?["receipt"]?["status"], let status = try? Status(from: JSONReader(receipt)) {
            return .ended(rolloutID: rolloutID, attempt: attempt, status: status, undelivered: 0)
        }
        let (registry, grace) = (core.registry, core.configuration.grace)
        let stopping = Task {
            await stop()
            if !Task.isCancelled { await registry.drain(grace: grace) }
        }
        // No other rollout is admitted from here on, and this one may take as long as it wants.
        await registry.drain(grace: .seconds(100 * 365 * 86_400))
        stopping.cancel()
        let undelivered = await core.delivery.flush(within: core.configuration.flushTimeout)
        let status =
            registry.status(of: rolloutID)?.status
            ?? FailureReason.environmentStopped.status("The environment was stopped.")
        return .ended(rolloutID: rolloutID, attempt: attempt, status: status, undelivered: undelivered)
    }
}
