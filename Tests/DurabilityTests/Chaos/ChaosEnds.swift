// Part of Rollcall. SPDX-License-Identifier: Apache-2.0

import TestSupport
import WireJSON

/// The ends that a gateway owes: of rollouts with a deadline, a lease or a budget that nobody else has ended.
struct ChaosEnds {
    let gateway: ChaosGateway
    let ledger: ChaosLedger

    /// Waits for all of them, and notes each in the ledger as told; which did not come.
    ///
    /// - Parameter limit: When a gateway starts, open leases get their length again, and deadlines ten seconds.
    func faults(within limit: Duration) async throws -> [String] {
        let end = ContinuousClock.now + limit
        let contents = ledger.contents
        let owed = contents.terms.filter { $0.value.isAcknowledged && contents.finals[$0.key] == nil }
        var faults: [String] = []
        for (place, term) in owed where term.bound == .budget {
            if await !isRefused(place) { faults.append("\(place): no call was refused for its budget") }
        }
        for (place, term) in owed {
            let answer = try await answer(on: place, before: end)
            let status = answer["status"]
            guard status?["code"]?.int == term.bound.code,
                status?["details"]?[0]?["reason"]?.string == term.bound.rawValue
            else {
                faults.append("\(place): its \(term.bound) has not ended it, \(answer)")
                continue
            }
            ledger.count("rollouts ended by a \(term.bound)")
            let told = ChaosLedger.Status(attempt: ChaosRollout.boundAttempt, code: term.bound.code)
            ledger.acknowledge(told, of: place)
            ledger.end(place, told)
        }
        for (place, term) in ledger.contents.terms where term.bound == .budget && term.answeredCalls > term.amount {
            faults.append("\(place): \(term.answeredCalls) calls were answered, and its budget has \(term.amount)")
        }
        return faults
    }

    /// Calls until the budget is used up; whether it ever is.
    private func isRefused(_ place: ChaosLedger.Place) async -> Bool {
        var rollout = ChaosRollout(place, gateway, ledger, seed: 0)
        rollout.begin()
        for _ in 0..<100 {
            if await rollout.spend() == 429 { return true }
            if let term = ledger.term(of: place), term.answeredCalls > term.amount { break }
        }
        return false
    }

    /// How a rollout has ended, or how it stands when the time is over.
    private func answer(
        on place: ChaosLedger.Place, before end: ContinuousClock.Instant
    ) async throws -> JSONValue {
        while true {
            let left: Double = ContinuousClock.now.duration(to: end) / .seconds(1)
            let wait = Int(min(15, max(0, left.rounded(.up))))
            let path =
                "/v1/status?rollout_id=\(place.rollout)&attempt=\(ChaosRollout.boundAttempt)&wait_seconds=\(wait)"
            let answer = try await gateway.ask("GET", path, account: place.account).json
            if let code = answer["status"]?["code"]?.int, code != 101 { return answer }
            if wait == 0 { return answer }
        }
    }
}
