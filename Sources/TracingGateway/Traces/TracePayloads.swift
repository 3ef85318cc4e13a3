// Part of Rollcall. SPDX-License-Identifier: Apache-2.0

import EvalProtocol
import WireJSON

/// What training needs of an answer beyond its text, packed from what the upstream sent.
struct TracePayloads {
    private let answer: JSONValue
    private let choice: JSONValue

    /// - Parameter answer: a completion; its first choice is read.
    init(_ answer: JSONValue) {
        self.answer = answer
        choice = answer["choices"]?[0] ?? .null
    }

    /// The payloads by name; those that the answer has nothing for are left out.
    var json: JSONObject {
        var payloads: JSONObject = [:]
        if let logprobs {
            payloads.append(
                LogprobsPayload.name,
                TracePayload(version: LogprobsPayload.version, content: logprobs.encode()).json)
        }
        if let promptTokenIDs {
            payloads.append(
                PromptTokenIDsPayload.name,
                TracePayload(version: PromptTokenIDsPayload.version, content: promptTokenIDs.encode()).json)
        }
        if let routerReplay {
            payloads.append(
                RouterReplayPayload.name,
                TracePayload(version: RouterReplayPayload.version, content: routerReplay.encode()).json)
        }
        return payloads
    }

    private var tokens: [JSONValue] { choice["logprobs"]?["content"]?.array ?? [] }

    /// A token's id stands in its entry, as `token_id` or `id`, or in a list beside all entries.
    private var logprobs: LogprobsPayload? {
        let entries = tokens
        let ids = choice["token_ids"]?.array ?? []
        var packed: [LogprobsPayload.Token] = []
        packed.reserveCapacity(entries.count)
        for (index, entry) in entries.enumerated() {
            guard let logprob = entry["logprob"]?.double else { return nil }
            let listed = ids.count == entries.count ? ids[index].int : nil
            let id = entry["token_id"]?.int ?? entry["id"]?.int ?? listed
            packed.append(.init(id: id.flatMap { Int32(exactly: $0) }, logprob: Float(logprob)))
        }
        return packed.isEmpty ? nil : LogprobsPayload(tokens: packed)
    }

    private var promptTokenIDs: PromptTokenIDsPayload? {
        let list = (answer["prompt_token_ids"] ?? choice["prompt_token_ids"])?.array ?? []
        let ids = list.compactMap(\.int)
        return ids.isEmpty || ids.count != list.count ? nil : PromptTokenIDsPayload(tokenIDs: ids)
    }

    private var routerReplay: RouterReplayPayload? {
        let matrices = tokens.map { $0["routing_matrix"]?.string.flatMap { Base64.decoded($0.utf8) } }
        guard matrices.contains(where: { $0?.isEmpty == false }) else { return nil }
        return try? RouterReplayPayload(matrices: matrices)
    }
}
