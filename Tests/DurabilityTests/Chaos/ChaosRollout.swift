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
    private let isLong: Bool
    private var messages: [JSONValue] = []
    /// As many of them stood in a call already.
    private var sentMessages = 0

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

    // MARK: Lines

    /// Lines alone, or several at once of which one is wrong; the latter again until they are acknowledged.
    mutating func lines(_ attempt: String?) async {
        func line(_ text: String) -> JSONObject {
            ledger.send(line: text, of: place)
            var line: JSONObject = [
                "message": .string(text),
                "tags": [.string("rollout_id:\(place.rollout)"), .string("experiment_id:\(Self.experiment)")],
            ]
            if let attempt { line.append("extras", ["rollcall": ["attempt": .string(attempt)]]) }
            return line
        }
        if chance(2) {
            let text = ledger.next("\(place) line ")
            let body = JSONValue.object(line(text)).description
            let client: ChaosGateway.Client = chance(4) ? .leaves(Int.random(in: 0...4, using: &random)) : .whole
            let outcome = await gateway.exchange(
                ChaosRequest("POST", "/v1/logs", account: place.account, body: body), client)
            if case .answered(let response) = outcome {
                switch response.status {
                case 200: ledger.acknowledge(line: text)
                case 503: break
                default: ledger.fault("\(place): a line was answered \(response.status) \(response.text)")
                }
            }
            return
        }
        let texts = (0..<Int.random(in: 1...5, using: &random)).map { _ in ledger.next("\(place) item ") }
        var items = texts.map { text -> JSONValue in
            var item = line(text)
            item.append("id", .string(text))
            return .object(item)
        }
        let wrong = chance(3) ? Int.random(in: 0...items.count, using: &random) : nil
        if let wrong { items.insert(["message": "wrong", "tags": [7]], at: wrong) }
        let body = JSONValue.array(items).description
        var acknowledgements = 0
        let wanted = chance(3) ? 2 : 1
        for _ in 0..<4000 {
            let client: ChaosGateway.Client =
                acknowledgements == 0 && chance(6) ? .leaves(Int.random(in: 0...4, using: &random)) : .whole
            let outcome = await gateway.exchange(
                ChaosRequest("POST", "/v1/logs/batch", account: place.account, body: body), client)
            if case .answered(let response) = outcome, response.status == 200 {
                var results = response.json["results"]?.array ?? []
                if let wrong, results.indices.contains(wrong) {
                    let result = results.remove(at: wrong)
                    if result["ok"]?.bool != false || result["code"]?.int != 400
                        || result["error"]?.string?.contains("tags[0]") != true
                    {
                        ledger.fault("\(place): a wrong item was answered \(result)")
                    }
                }
                if results.count == texts.count, results.allSatisfy({ $0["ok"]?.bool == true }) {
                    if results.map({ $0["id"]?.string }) != texts {
                        ledger.fault("\(place): results in another order: \(results)")
                    }
                    if acknowledgements > 0, results.contains(where: { $0["duplicate"]?.bool != true }) {
                        ledger.fault("\(place): a repetition is none: \(results)")
                    }
                    acknowledgements += 1
                    for text in texts { ledger.acknowledge(line: text) }
                    if acknowledgements == wanted { return }
                    continue
                }
            }
            try? await Task.sleep(for: .milliseconds(10))
        }
        ledger.fault("\(place): the gateway never took a batch")
    }

    // MARK: Model calls

    /// A new conversation.
    mutating func begin() {
        let instructions = "be brief" + String(repeating: ", very brief", count: isLong ? 5000 : 60)
        messages = [["role": "system", "content": .string(instructions)]]
        sentMessages = 0
    }

    mutating func turn(_ attempt: String?) async {
        let filler = Int.random(in: chance(200) ? 2000...8000 : 0...60, using: &random)
        let streamed = chance(2)
        var manner = ChaosModel.Manner.answer
        if chance(3) { manner = ChaosModel.Manner.allCases.randomElement(using: &random) ?? .answer }
        if !streamed, manner == .late || manner == .done { manner = .slow }
        if streamed, manner == .zipped { manner = .slow }
        let wish = ChaosModel.Wish(
            call: ledger.next("call-"), manner: manner, streamed: streamed,
            words: Int.random(in: chance(200) ? 2000...8000 : 0...40, using: &random))
        // Closing one side counts as going away where nothing says that it does not.
        let closes = chance(4)
        let (request, asked) = call(wish, attempt, filler: filler, closes: closes)
        var client = ChaosGateway.Client.whole
        switch Int.random(in: 0..<12, using: &random) {
        case 0: client = .partial
        case 1, 2: client = .leaves(Int.random(in: 0...30, using: &random))
        case 3: client = .closesOutput
        case 4 where manner != .stall:
            await pipelined(request, wish)
            goOn(asked, wish)
            return
        default: break
        }
        if manner == .stall { client = .leaves(Int.random(in: 0...60, using: &random)) }
        if case .answered(let response) = await gateway.exchange(request, client) {
            if await judge(response, wish) { goOn(asked, wish) }
        } else {
            ledger.count("calls that broke")
        }
    }

    /// The request of a turn, noted as sent, and its messages.
    mutating func call(
        _ wish: ChaosModel.Wish, _ attempt: String?, filler: Int = 0, closes: Bool = false
    ) -> (request: ChaosRequest, messages: [JSONValue]) {
        let question = ledger.next("\(place) asks ") + String(repeating: " and so on", count: filler)
        let asked = messages + [["role": "user", "content": .string(question)]]
        var body: JSONObject = ["model": "m", "messages": .array(asked), "chaos": wish.json]
        if wish.streamed { body.append("stream", true) }
        let text = JSONValue.object(body).description
        let added = asked[sentMessages...].reduce(0) { $0 + $1.description.utf8.count }
        sentMessages = messages.count
        ledger.send(
            ChaosLedger.Call(place: place, attempt: attempt, body: Array(text.utf8), added: added, wish: wish))
        let path =
            (attempt.map { "/attempt/\($0)" } ?? "") + "/rollout_id/\(place.rollout)/invocation_id/i/experiment_id/"
            + "\(Self.experiment)/run_id/u/row_id/w" + (chance(2) ? "/v1" : "") + "/chat/completions"
        let request = ChaosRequest(
            "POST", path, account: place.account, headers: ["content-type: application/json"], body: text,
            closes: closes)
        return (request, asked)
    }

    /// The conversation goes on with the answer.
    mutating func goOn(_ asked: [JSONValue], _ wish: ChaosModel.Wish) {
        messages = asked + [["role": "assistant", "content": .string(wish.content)]]
        sentMessages = asked.count
    }

    /// The call, a line and a question in one go.
    private mutating func pipelined(_ call: ChaosRequest, _ wish: ChaosModel.Wish) async {
        let text = ledger.next("\(place) line ")
        ledger.send(line: text, of: place)
        let line: JSONValue = ["message": .string(text), "tags": [.string("rollout_id:\(place.rollout)")]]
        let responses = await gateway.pipeline([
            call, ChaosRequest("POST", "/logs", account: place.account, body: line.description),
            ChaosRequest("GET", "/v1/status?rollout_id=\(place.rollout)", account: place.account),
        ])
        ledger.count("pipelines")
        if let first = responses.first { _ = await judge(first, wish) }
        if responses.count > 1, responses[1].status == 200 { ledger.acknowledge(line: text) }
        if responses.count > 2, responses[2].json["rollout_id"]?.string != place.rollout {
            ledger.fault("\(place): the third answer of a pipeline is \(responses[2].text.prefix(200))")
        }
    }

    /// Whether an answer that came whole is the model's, in what it may be.
    mutating func judge(_ response: RawResponse, _ wish: ChaosModel.Wish) async -> Bool {
        ledger.count("calls answered \(response.status)")
        let what = "\(place), \(wish.call), \(wish.manner)\(wish.streamed ? ", streamed" : "")"
        // Nothing was recorded, and the client can tell.
        if response.status == 503 { return false }
        let isModels = response.body == wish.answer && response.header("x-chaos") == wish.call
        if let refusal = wish.manner.refusal {
            if response.status != refusal || !isModels { ledger.fault("\(what): \(response.status) for a refusal") }
            return false
        }
        guard wish.manner.completes else {
            if response.status != 502 { ledger.fault("\(what): \(response.status) looks like an answer") }
            return false
        }
        guard response.status == 200, isModels else {
            // A call that is tried on a connection that the model closes meanwhile is the gateway's to repeat, once.
            ledger.fault("\(what): answered \(response.status) \(response.text.prefix(200))")
            return false
        }
        ledger.complete(wish.call)
        ledger.count("complete calls")
        if chance(8) {
            // Recorded before answered: it is there at once.
            let path = "/v1/traces?tags=rollout_id:\(place.rollout)&attempt=all&limit=10000"
            let found = try? await gateway.ask("GET", path, account: place.account)
            if found?.text.contains("\(wish.call)\\\"") != true { ledger.fault("\(what): answered and not to be read") }
            ledger.count("calls read at once")
        }
        return true
    }

    // MARK: What is wrong

    /// Requests, the status they have to get, and what the answer has to name.
    private static func wrong(
        _ rollout: String
    ) -> [(method: String, path: String, body: String?, status: Int, name: String)] {
        let path = "/rollout_id/\(rollout)/invocation_id/i/experiment_id/e/run_id/u/row_id/w/chat/completions"
        return [
            ("POST", "/logs", #"{"message":"wrong"}"#, 400, "tags"),
            ("POST", "/logs", #"{"message":"wrong","tags":["rollout_id:\#(rollout)",7]}"#, 400, "tags[1]"),
            ("POST", "/logs", #"{"message":"wrong","tags":["rollout_id:\#(rollout)"],"status":5}"#, 400, "status"),
            ("POST", "/v1/logs", #"{"message":7,"tags":["rollout_id:\#(rollout)"]}"#, 400, "message"),
            ("POST", "/attempt/a%20b/logs", #"{"message":"wrong","tags":["rollout_id:\#(rollout)"]}"#, 400, "attempt"),
            ("POST", "/v1/rollouts", #"[{"metadata":"#, 400, "JSON"),
            ("GET", "/v1/status", nil, 422, "rollout_id"),
            ("GET", "/v1/status?rollout_id=\(rollout)&wait_seconds=61", nil, 422, "wait_seconds"),
            ("GET", "/v1/traces", nil, 422, "tags"),
            ("GET", "/v1/traces?tags=rollout_id:\(rollout)&limit=x", nil, 422, "limit"),
            ("GET", "/v1/events", nil, 400, "experiment_id"),
            ("GET", "/v1/rollouts/\(rollout)/traces?requests=x", nil, 422, "requests"),
            ("POST", path, #"{"model":"m","messages":[{"role""#, 400, "JSON"),
            ("POST", path.replacing(rollout, with: "%FF"), "{}", 400, "UTF-8"),
        ]
    }

    private mutating func badRequest() async {
        guard let wrong = Self.wrong(place.rollout).randomElement(using: &random) else { return }
        let outcome = await gateway.exchange(
            ChaosRequest(wrong.method, wrong.path, account: place.account, body: wrong.body), .whole)
        guard case .answered(let response) = outcome, response.status != 503 else { return }
        ledger.count("bad requests answered")
        let detail = response.json["detail"]?.string ?? ""
        if response.status != wrong.status || !detail.contains(wrong.name) {
            ledger.fault("\(wrong.method) \(wrong.path) \(wrong.body ?? ""): \(response.status) \(response.text)")
        }
    }

    mutating func chance(_ oneIn: Int) -> Bool { Int.random(in: 0..<oneIn, using: &random) == 0 }
}
