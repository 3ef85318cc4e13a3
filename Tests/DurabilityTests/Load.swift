// Part of Rollcall. SPDX-License-Identifier: Apache-2.0

import Foundation
import TestSupport
import WireJSON

/// Rollouts as clients run them, until the gateway no longer answers: RUNNING, some turns with a line each, the end.
struct Load: Sendable {
    let gateway: RollcallProcess
    let ledger: Ledger
    /// How much a user says.
    var words = 0...300
    /// Where the record of the disk is now.
    let position: @Sendable () -> Int

    /// How the model behind the gateway answers.
    static func answer(_ request: ScriptedHTTPServer.Request) -> ScriptedHTTPServer.Response {
        .json(completion(to: request.json?["messages"]?.array?.last?["content"]?.string ?? ""))
    }

    private static func completion(to text: String) -> JSONValue {
        [
            "id": "c", "object": "chat.completion", "model": "m",
            "choices": [
                [
                    "index": 0, "finish_reason": "stop",
                    "message": ["role": "assistant", "content": .string("to \(text.prefix(40))")],
                ]
            ],
        ]
    }

    /// - Parameter prefix: Of the rollouts' ids, so that no two runs have the same.
    func run(_ prefix: String, clients: Int, seed: UInt64) async {
        await withTaskGroup(of: Void.self) { group in
            for client in 0..<clients {
                group.addTask {
                    var random = SeededGenerator(seed: seed &+ UInt64(client))
                    var number = 0
                    while !Task.isCancelled, await rollout("\(prefix)-\(client)-\(number)", &random) { number += 1 }
                }
            }
        }
    }

    /// Whether the gateway still answers.
    private func rollout(_ id: String, _ random: inout SeededGenerator) async -> Bool {
        guard await status(id, 101) else { return false }
        var messages: [JSONValue] = [
            ["role": "system", "content": .string(String(repeating: "be brief ", count: 100))]
        ]
        for turn in 0..<Int.random(in: 1...5, using: &random) {
            let filler = String(repeating: "and so on ", count: Int.random(in: words, using: &random))
            messages.append(["role": "user", "content": .string("\(id) \(turn) \(filler)")])
            guard await call(id, messages) else { return false }
            messages.append(["role": "assistant", "content": .string("to \(id) \(turn)")])
            guard await line(id, "\(id) \(turn)") else { return false }
        }
        return await status(id, 100)
    }

    /// Whether the call was answered.
    func call(_ id: String, _ messages: [JSONValue]) async -> Bool {
        let body = JSONValue.object(["model": "m", "messages": .array(messages)]).description
        let answer = Self.completion(to: messages.last?["content"]?.string ?? "").description
        let path = "/rollout_id/\(id)/invocation_id/i/experiment_id/e/run_id/u/row_id/w/chat/completions"
        return await post(path, body, .call(body: body, answer: answer))
    }

    private func line(_ id: String, _ message: String) async -> Bool {
        await log(id, message, nil, .line(message: message))
    }

    private func status(_ id: String, _ code: Int) async -> Bool {
        let message = "\(id) is \(code)"
        ledger.send(.line(message: message))
        return await log(
            id, message, ["code": .number(code), "message": "", "details": []], .status(rollout: id, code: code))
    }

    private func log(_ id: String, _ message: String, _ status: JSONValue?, _ fact: Ledger.Fact) async -> Bool {
        var line: JSONObject = [
            "program": "eval_protocol", "message": .string(message), "tags": [.string("rollout_id:\(id)")],
        ]
        if let status { line.append("status", status) }
        return await post("/logs", JSONValue.object(line).description, fact)
    }

    private func post(_ path: String, _ body: String, _ fact: Ledger.Fact) async -> Bool {
        ledger.send(fact)
        guard let response = try? await gateway.request("POST", path, body: body) else { return false }
        if response.status == 200 {
            ledger.acknowledge(fact, at: position())
        } else {
            // While the store takes nothing, clients come back a little later.
            try? await Task.sleep(for: .milliseconds(20))
        }
        return true
    }
}
