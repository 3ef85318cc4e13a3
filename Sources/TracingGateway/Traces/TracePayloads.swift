// Part of Rollcall. SPDX-License-Identifier: Apache-2.0

import EvalProtocol
import TraceStore
import WireJSON

/// What training needs of an answer beyond its text: what was captured of it, and of what was not what the upstream
/// sent with it.
struct TracePayloads {
    private let answer: JSONValue
    private let choice: JSONValue
    private let captured: CapturedTokens

    /// - Parameter answer: a completion; its first choice is read.
    init(_ answer: JSONValue, _ captured: CapturedTokens) {
        self.answer = answer
        choice = answer["choices"]?[0] ?? .null
        self.captured = captured
    }

    /// The payloads by name; those that there is nothing for are left out. The first choice's have the names that other
    /// readers know, those of further choices end in the choice's place: `logprobs.1`.
    var json: JSONObject {
        var payloads: JSONObject = [:]
        func add(_ name: String, _ version: String, _ content: [UInt8]?) {
            guard let content, !content.isEmpty else { return }
            payloads.append(name, TracePayload(version: version, content: content).json)
        }
        let first = captured.choices.first
        add(LogprobsPayload.name, LogprobsPayload.version, first?.logprobs.nonEmpty ?? logprobs?.encode())
        add(PromptTokenIDsPayload.name, PromptTokenIDsPayload.version, promptTokenIDs?.encode())
        add(RouterReplayPayload.name, RouterReplayPayload.version, first?.routing.nonEmpty ?? routerReplay?.encode())
        for (index, choice) in captured.choices.enumerated().dropFirst() {
            add("\(LogprobsPayload.name).\(index)", LogprobsPayload.version, choice.logprobs)
            add("\(RouterReplayPayload.name).\(index)", RouterReplayPayload.version, choice.routing)
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
        if !captured.promptTokenIDs.isEmpty {
            return PromptTokenIDsPayload(tokenIDs: captured.promptTokenIDs.map(Int.init))
        }
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

extension [UInt8] {
    fileprivate var nonEmpty: [UInt8]? { isEmpty ? nil : self }
}
