// Part of Rollcall. SPDX-License-Identifier: Apache-2.0

import Foundation
import TestSupport
import WireJSON

/// A rollout as an agent with bad luck runs it: attempts, statuses, turns, lines, and requests that are wrong.
struct ChaosRollout {
    let place: ChaosLedger.Place
    let gateway: ChaosGateway
    let ledger: ChaosLedger
    var random: SeededGenerator
    /// Whether its conversation becomes a long one.
    let isLong: Bool
    var messages: [JSONValue] = []
    /// As many of them stood in a call already.
    var sentMessages = 0

    init(
        _ place: ChaosLedger.Place, _ gateway: ChaosGateway, _ ledger: ChaosLedger, seed: UInt64, isLong: Bool = false
    ) {
        self.place = place
        self.gateway = gateway
        self.ledger = ledger
        self.isLong = isLong
        random = SeededGenerator(seed: seed)
    }

    static let experiment = "chaos"

    /// Complete turns of a long conversation.
    static let longTurns = 20

    mutating func run() async {
        if !isLong, chance(6) { return await runBounded() }
        let attempts: [String?] = isLong ? ["a1"] : chance(3) ? [nil] : chance(3) ? ["a1", "a2"] : ["a1"]
        for (number, attempt) in attempts.enumerated() {
            guard await post(101, attempt) != nil else { return }
            begin()
            let turns = isLong ? 200 : Int.random(in: 1...6, using: &random)
            for _ in 0..<turns {
                let before = messages.count
                await turn(attempt)
                if chance(3) { await lines(attempt) }
                if chance(8) { await badRequest() }
                guard isLong else { continue }
                if messages.count > 2 * Self.longTurns { break }
                // While there is no gateway, its turns are not used up.
                if messages.count == before { try? await Task.sleep(for: .milliseconds(20)) }
            }
            // An attempt that has been given up has no end; what its agent says later changes nothing.
            if number + 1 < attempts.count, chance(2) { continue }
            await end(attempt)
        }
        if attempts.count > 1 { await late() }
    }

    // MARK: Statuses

    private static let terminal = [100, 1, 2, 3, 4, 5, 8, 13, 14]

    private mutating func end(_ attempt: String?) async {
        let first = Self.terminal.randomElement(using: &random) ?? 100
        let second = Self.terminal.filter { $0 != first }.randomElement(using: &random) ?? 13
        let poll = Task { [place, gateway] in
            let outcome = await gateway.exchange(
                ChaosRequest(
                    "GET",
                    "/v1/status?rollout_id=\(place.rollout)&wait_seconds=3" + (attempt.map { "&attempt=\($0)" } ?? ""),
                    account: place.account), .whole)
            if case .answered(let response) = outcome, response.status == 200 { return response.json }
            return JSONValue.null
        }
        guard let attempt else {
            // The latest wins.
            guard await post(first, nil) != nil else { return poll.cancel() }
            let winner = chance(3) ? second : first
            if winner == second { guard await post(second, nil) != nil else { return poll.cancel() } }
            ledger.end(place, ChaosLedger.Status(attempt: nil, code: winner))
            await judge(poll, in: [101, first, winner], "no attempt")
            return
        }
        // The first is final.
        var final: Int?
        if chance(4) {
            // At the same time: any, but one and the same for both.
            var other = self
            other.random = SeededGenerator(seed: random.next())
            let racer = other
            async let race = Self.post(second, attempt, from: racer)
            let answer = await post(first, attempt, counts: false)
            let answers = (answer?["final"]?.int, await race?["final"]?.int)
            ledger.count("races of terminal statuses")
            guard let one = answers.0, one == answers.1, one == first || one == second else {
                return ledger.fault("\(place) \(attempt) ended as \(answers) after \(first) and \(second)")
            }
            final = one
            ledger.acknowledge(ChaosLedger.Status(attempt: attempt, code: one), of: place)
        } else {
            guard let answer = await post(first, attempt) else { return poll.cancel() }
            final = answer["final"]?.int
            if final != first { ledger.fault("\(place) \(attempt) ended as \(final ?? -1), not \(first)") }
            if chance(3) {
                let answer = await post(second, attempt, counts: false)
                if answer?["final"]?.int != first {
                    ledger.fault("\(place) \(attempt): \(second) came after \(first) and won")
                }
            }
        }
        if let final {
            ledger.end(place, ChaosLedger.Status(attempt: attempt, code: final))
            await judge(poll, in: [101, final], attempt)
        }
    }

    /// What a poll saw while the status changed.
    private func judge(_ poll: Task<JSONValue, Never>, in codes: [Int], _ attempt: String) async {
        let answer = await poll.value
        guard answer != .null else { return }
        ledger.count("polls that waited")
        guard let code = answer["status"]?["code"]?.int, codes.contains(code) else {
            return ledger.fault("\(place) \(attempt): a poll saw \(answer), not one of \(codes)")
        }
    }

    /// The first attempt's agent has not noticed that there is a second one.
    private mutating func late() async {
        let answer = await post(Self.terminal.randomElement(using: &random) ?? 100, "a1", counts: false)
        if let answer, answer["current"]?.bool != false { ledger.fault("\(place) a1 counts beside a2: \(answer)") }
    }

    private static func post(_ code: Int, _ attempt: String, from rollout: ChaosRollout) async -> JSONValue? {
        var rollout = rollout
        return await rollout.post(code, attempt, counts: false)
    }

    /// Posts a status until it is acknowledged; its receipt.
    ///
    /// - Parameters:
    ///   - counts: Whether it becomes the rollout's status.
    ///   - lease: A promise that goes with it, in seconds.
    mutating func post(
        _ code: Int, _ attempt: String?, counts: Bool = true, lease: Int? = nil
    ) async -> JSONValue? {
        let inBatch = chance(3)
        let id = ledger.next("status-")
        // A repetition is one when it says the same in the same place.
        let inPath = chance(2)
        var text = ledger.next("\(place) \(code) ")
        for number in 0..<4000 {
            // A line without an id of its own may be there although nobody was told: each time another text.
            if number > 0, !inBatch { text = ledger.next("\(place) \(code) ") }
            ledger.send(line: text, of: place)
            var item: JSONObject = [
                "program": "eval_protocol", "message": .string(text),
                "status": ["code": .number(code), "message": .string(text), "details": []],
            ]
            var path = inBatch ? "/v1/logs/batch" : "/logs"
            let tags: [JSONValue] = [
                .string("rollout_id:\(place.rollout)"), .string("experiment_id:\(Self.experiment)"), "run_id:u",
                "invocation_id:i", "row_id:w",
            ]
            var own: JSONObject = [:]
            if let attempt {
                if inPath {
                    path = "/attempt/\(attempt)/v1" + (inBatch ? "/logs/batch" : "/logs")
                } else {
                    own.append("attempt", .string(attempt))
                }
            }
            if let lease { own.append("lease_seconds", .number(lease)) }
            if !own.isEmpty { item.append("extras", ["rollcall": .object(own)]) }
            item.append("tags", .array(tags))
            if inBatch { item.append("id", .string(id)) }
            let body = inBatch ? JSONValue.array([.object(item)]) : .object(item)
            // What is sent and left may arrive after what is sent next: only where that cannot matter.
            let client: ChaosGateway.Client =
                number == 0 && attempt != nil && chance(6) ? .leaves(Int.random(in: 0...5, using: &random)) : .whole
            let outcome = await gateway.exchange(
                ChaosRequest("POST", path, account: place.account, body: body.description, closes: chance(2)), client)
            if let receipt = receipt(outcome, inBatch: inBatch) {
                ledger.acknowledge(line: text)
                if counts { ledger.acknowledge(ChaosLedger.Status(attempt: attempt, code: code), of: place) }
                return receipt
            }
            try? await Task.sleep(for: .milliseconds(10))
        }
        ledger.fault("\(place): the gateway never took \(code)")
        return nil
    }

    /// `nil` when it is to be sent again.
    func receipt(_ outcome: ChaosGateway.Outcome, inBatch: Bool) -> JSONValue? {
        guard case .answered(let response) = outcome else { return nil }
        let result = inBatch ? response.json["results"]?[0] : response.json
        if response.status == 200, !inBatch || result?["ok"]?.bool == true { return result }
        let code = response.status == 200 ? result?["code"]?.int ?? 0 : response.status
        if code != 503 { ledger.fault("\(place): a status was answered \(response.status) \(response.text)") }
        return nil
    }

    mutating func chance(_ oneIn: Int) -> Bool { Int.random(in: 0..<oneIn, using: &random) == 0 }
}
