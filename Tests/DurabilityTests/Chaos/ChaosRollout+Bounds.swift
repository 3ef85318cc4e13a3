// Part of Rollcall. SPDX-License-Identifier: Apache-2.0

import TestSupport
import WireJSON

/// A rollout with a deadline, a lease or a budget, which its agent abandons more often than not.
extension ChaosRollout {
    static let boundAttempt = "a1"

    mutating func runBounded() async {
        let bound = ChaosLedger.Bound.allCases.randomElement(using: &random) ?? .deadline
        let term = ChaosLedger.Term(bound: bound, amount: Int.random(in: 1...3, using: &random))
        ledger.send(term, of: place)
        if bound == .lease {
            guard let receipt = await post(101, Self.boundAttempt, counts: false, lease: term.amount) else { return }
            ledger.acknowledgeTerm(of: place)
            guard goesOn(receipt, after: 101, term) else { return }
        } else {
            // Some callers are gone before they know whether they were heard: nothing is owed to them.
            guard let receipt = await register(term, insists: !chance(4)) else { return }
            ledger.acknowledgeTerm(of: place)
            guard goesOn(receipt, after: nil, term) else { return }
            if chance(2) {
                guard let receipt = await post(101, Self.boundAttempt, counts: false),
                    goesOn(receipt, after: 101, term)
                else { return }
            }
        }
        ledger.count("rollouts with a \(bound)")
        begin()
        if bound == .budget {
            for _ in 0..<Int.random(in: 0...term.amount + 2, using: &random) { _ = await spend() }
        } else {
            for _ in 0..<Int.random(in: 0...2, using: &random) {
                await turn(Self.boundAttempt)
                if chance(3) { await lines(Self.boundAttempt) }
            }
        }
        // None of the codes that the gateway would give.
        let code = chance(2) ? 100 : 13
        if chance(3), let receipt = await post(code, Self.boundAttempt, counts: false) {
            _ = goesOn(receipt, after: code, term)
        }
    }

    /// Announces it until that is acknowledged, or once, without waiting for an answer; the receipt.
    private mutating func register(_ term: ChaosLedger.Term, insists: Bool) async -> JSONValue? {
        var item: JSONObject = [
            "metadata": [
                "rollout_id": .string(place.rollout), "experiment_id": .string(Self.experiment), "run_id": "u",
                "invocation_id": "i", "row_id": "w",
            ],
            "attempt": .string(Self.boundAttempt),
        ]
        if term.bound == .budget {
            item.append("budget", ["calls": .number(term.amount)])
        } else {
            item.append("deadline_seconds", .number(term.amount))
        }
        let body = JSONValue.array([.object(item)]).description
        for _ in 0..<4000 {
            var client = ChaosGateway.Client.whole
            if !insists || chance(6) { client = .leaves(Int.random(in: 0...5, using: &random)) }
            let outcome = await gateway.exchange(
                ChaosRequest("POST", "/v1/rollouts", account: place.account, body: body), client)
            if let receipt = receipt(outcome, inBatch: true) { return receipt }
            guard insists else {
                ledger.count("registrations without an answer")
                return nil
            }
            try? await Task.sleep(for: .milliseconds(10))
        }
        ledger.fault("\(place): the gateway never took its \(term.bound)")
        return nil
    }

    /// Takes note of what a receipt says of the rollout; whether that has not ended.
    ///
    /// - Parameter code: The status that was posted, if one was.
    private func goesOn(_ receipt: JSONValue, after code: Int?, _ term: ChaosLedger.Term) -> Bool {
        guard let final = receipt["final"]?.int else {
            if code == 101 {
                ledger.acknowledge(ChaosLedger.Status(attempt: Self.boundAttempt, code: 101), of: place)
            } else if let code {
                ledger.fault("\(place): \(code) ended nothing, \(receipt)")
            }
            return true
        }
        // The gateway may have been first.
        if final == term.bound.code {
            ledger.count("rollouts ended by a \(term.bound)")
        } else if final != code {
            ledger.fault("\(place): ended as \(final) by its \(term.bound) or by \(code ?? 101)")
        }
        let status = ChaosLedger.Status(attempt: Self.boundAttempt, code: final)
        ledger.acknowledge(status, of: place)
        ledger.end(place, status)
        return false
    }

    /// A call that the budget counts; the status of its answer, `nil` when none came.
    mutating func spend() async -> Int? {
        let streamed = chance(2)
        let wish = ChaosModel.Wish(
            call: ledger.next("call-"), manner: .answer, streamed: streamed,
            words: Int.random(in: 0...40, using: &random))
        let (request, asked) = call(wish, Self.boundAttempt)
        ledger.sendBudgetedCall(of: place)
        guard case .answered(let response) = await gateway.exchange(request, .whole) else {
            ledger.count("calls that broke")
            return nil
        }
        if response.status == 429 {
            ledger.count("calls refused for a budget")
            // A call whose answer was lost may have counted, one that was never sent may not.
            if let term = ledger.term(of: place), term.sentCalls <= term.amount {
                ledger.fault("\(place): call \(term.sentCalls) of \(term.amount) was refused")
            }
            if response.json["error"]?["code"]?.string != "budget_exhausted"
                || response.header("x-should-retry") != "false"
            {
                ledger.fault("\(place), \(wish.call): refused as \(response.text)")
            }
        } else if await judge(response, wish) {
            goOn(asked, wish)
            ledger.completeBudgetedCall(of: place)
        }
        return response.status
    }
}
