// Part of Rollcall. SPDX-License-Identifier: Apache-2.0

import EvalProtocol
import NIOCore
import NIOHTTP1
import Synchronization
package import WireJSON

extension LogDelivery {
    /// What a RUNNING line promises with a lease: another line or call within that time.
    package static func extras(lease: Duration) -> JSONObject {
        ["rollcall": ["lease_seconds": .number(lease / .seconds(1))]]
    }

    /// Renews the leases of rollouts at gateways that know leases, without waiting for it.
    ///
    /// Nothing is queued and nothing repeated: what fails is made good by the next renewal. Answers reach those of
    /// ``onAnswer(_:)``. Runs on event loops only.
    package func renewLeases(_ rollouts: [RolloutContext], lease: Duration) {
        let byGateway = Dictionary(grouping: rollouts) { $0.destination ?? configuration.destination }
        for (destination, rollouts) in byGateway {
            guard locked.withLock({ $0.state.capabilities(of: destination).takesBatches }) else { continue }
            for start in stride(from: 0, to: rollouts.count, by: configuration.batchSize) {
                let batch = rollouts[start..<min(start + configuration.batchSize, rollouts.count)]
                renew(Array(batch), lease: lease, at: destination)
            }
        }
    }

    private func renew(_ rollouts: [RolloutContext], lease: Duration, at destination: LogDestination) {
        let lines = rollouts.map { Self.renewal($0, lease: lease) }
        let answer = http.send(
            .POST, destination.gatewayURL + "/v1/logs/batch", apiKey: destination.apiKey,
            body: JSONValue.array(lines).serialized(), timeout: lease / 3, maximumBytes: 4 << 20)
        answer.whenSuccess { [self] answer in
            guard answer.isSuccess, let results = try? JSONValue(parsing: answer.body)["results"]?.array else { return }
            let handlers = locked.withLock { $0.handlers }
            for (rollout, result) in zip(rollouts, results) {
                guard case .accepted(let answer) = PostOutcome.LineResult(JSONReader(result)) else { continue }
                let line = DeliveredLine(
                    rolloutID: rollout.rolloutID, attempt: rollout.attempt, status: .running, destination: destination,
                    answer: answer)
                for handler in handlers { handler(line) }
            }
        }
    }

    private static func renewal(_ rollout: RolloutContext, lease: Duration) -> JSONValue {
        var own: JSONObject = ["lease_seconds": .number(lease / .seconds(1)), "renewal": true]
        if let attempt = rollout.attempt { own.append("attempt", attempt.json) }
        return [
            "tags": .array(rollout.metadata.logTags.map { .string($0) }), "status": Status.running.json,
            "extras": ["rollcall": .object(own)],
        ]
    }
}
