// Part of Rollcall. SPDX-License-Identifier: Apache-2.0

import Foundation
import TestSupport
import WireJSON

/// The lines that it logs.
extension ChaosRollout {
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
}
