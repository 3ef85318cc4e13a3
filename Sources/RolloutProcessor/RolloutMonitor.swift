// Part of Rollcall. SPDX-License-Identifier: Apache-2.0

package import EvalProtocol

/// Counts what many rollouts are at, and notices when none of them moves.
///
/// A value without a clock: the time comes with each call.
package struct RolloutMonitor: Sendable {
    package typealias Instant = ContinuousClock.Instant

    private struct Flight {
        var rolloutID: String
        var triggered = false
        var accepted = false
        var running = false
        var order: Int
    }

    /// A rollout in flight that shows best why nothing happens.
    package struct Suspect: Sendable, Hashable {
        package var rolloutID: String
        package var triggered: Bool
        package var accepted: Bool
    }

    private static let firstPatience = Duration.seconds(10)
    private static let longestPause = Duration.seconds(60)

    /// In flight, by the rollout's id.
    private var flights: [String: Flight] = [:]
    private var begun = 0
    private var lastMove: Instant
    private var patience = firstPatience

    package private(set) var succeeded = 0
    package private(set) var failed = 0
    package private(set) var retries = 0

    package init(now: Instant) { lastMove = now }

    package var inFlight: Int { flights.count }
    package var ended: Int { succeeded + failed }
    package var running: Int { flights.values.count { $0.running } }

    package mutating func note(_ progress: RolloutProgress, at now: Instant) {
        lastMove = now
        patience = Self.firstPatience
        let id = progress.rolloutID
        switch progress.stage {
        case .begun:
            begun += 1
            flights[id] = Flight(rolloutID: id, order: begun)
        case .triggered:
            flights[id]?.triggered = true
            flights[id]?.accepted = false
            flights[id]?.running = false
        case .accepted: flights[id]?.accepted = true
        case .running: flights[id]?.running = true
        case .retrying: retries += 1
        case .replaced(let old):
            flights[id] = flights.removeValue(forKey: old)
            flights[id]?.rolloutID = id
        case .ended: flights[id] = nil
        }
    }

    /// Takes in a finished row, whose status may be another than the environment's.
    package mutating func note(_ row: EvaluationRow, at now: Instant) {
        lastMove = now
        if row.rolloutStatus.isSuccess { succeeded += 1 } else { failed += 1 }
    }

    /// When nothing has moved for long enough: the rollout that is longest in flight.
    ///
    /// While nothing moves on, it is told again after longer and longer pauses.
    package mutating func suspect(at now: Instant) -> Suspect? {
        guard now - lastMove >= patience, let oldest = flights.values.min(by: { $0.order < $1.order }) else {
            return nil
        }
        patience += min(patience, Self.longestPause)
        return Suspect(rolloutID: oldest.rolloutID, triggered: oldest.triggered, accepted: oldest.accepted)
    }
}
