// Part of Rollcall. SPDX-License-Identifier: Apache-2.0

import Foundation
import TestSupport
import WireJSON

/// Its model calls, and the conversation that they make.
extension ChaosRollout {
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
}
