// Part of Rollcall. SPDX-License-Identifier: Apache-2.0

import EvalProtocol
import RolloutTracing
import WireJSON

/// What the payloads of a rollout's traces add to its row: token ids, logprobs and routing data of the last call at
/// the top, those of every call under `assistant_turn_payloads`, and logprobs at the messages they belong to.
struct PayloadExtras {
    private(set) var messages: [Message]
    private(set) var extra: JSONObject?

    /// - Parameter longest: The trace whose conversation is the trajectory.
    init(traces: [Trace], longest: Trace) {
        messages = longest.messages
        let assistants = messages.indices.filter { messages[$0].role == "assistant" }
        let top = TurnPayload(longest)
        var object = top.extra
        if let last = assistants.last, let logprobs = top.logprobs { messages[last].additional["logprobs"] = logprobs }

        var turns: [JSONValue] = []
        let ordered = traces.enumerated().sorted {
            ($0.element.messages.count, $0.offset) < ($1.element.messages.count, $1.offset)
        }
        for (_, trace) in ordered {
            let turn = trace.messages.count { $0.role == "assistant" } - 1
            guard assistants.indices.contains(turn) else { continue }
            let payload = TurnPayload(trace)
            let place = assistants[turn]
            if let logprobs = payload.logprobs, messages[place].additional["logprobs"] == nil {
                messages[place].additional["logprobs"] = logprobs
            }
            guard !payload.extra.isEmpty else { continue }
            var entry = payload.extra
            entry.append("assistant_turn_index", .number(turn))
            turns.append(.object(entry))
        }
        if !turns.isEmpty { object.append("assistant_turn_payloads", .array(turns)) }
        extra = object.isEmpty ? nil : object
    }
}

/// The decoded payloads of one call; those that cannot be decoded are left out.
private struct TurnPayload {
    var extra: JSONObject = [:]
    /// As a message carries them.
    var logprobs: JSONValue?

    init(_ trace: Trace) {
        let payloads = trace.decodedPayloads()
        if let routing = payloads.routerReplay { add(routing) }
        if let logprobs = payloads.logprobs { add(logprobs) }
        if let prompt = payloads.promptTokenIDs {
            extra.append("prompt_token_ids", .array(prompt.tokenIDs.map { .number($0) }))
            extra.append(
                "prompt_token_ids_metadata", ["scope": "prompt_only", "token_count": .number(prompt.tokenIDs.count)])
        }
    }

    private mutating func add(_ payload: LogprobsPayload) {
        let logprobs = payload.tokens.map { JSONValue.number(Double($0.logprob)) }
        // One unknown id, and none can be relied on.
        let ids = payload.tokens.compactMap(\.id)
        let areKnown = ids.count == payload.tokens.count
        extra.append("completion_logprobs", .array(logprobs))
        if areKnown { extra.append("completion_token_ids", .array(ids.map { .number($0) })) }
        extra.append(
            "logprobs_metadata",
            [
                "scope": "completion_only", "completion_token_count": .number(logprobs.count),
                "all_token_ids_valid": .bool(areKnown),
            ])
        let content = logprobs.enumerated().map { index, logprob -> JSONValue in
            areKnown ? ["logprob": logprob, "token_id": .number(ids[index])] : ["logprob": logprob]
        }
        self.logprobs = ["content": .array(content)]
    }

    private mutating func add(_ payload: RouterReplayPayload) {
        let matrices = payload.matrices.map { $0.map { JSONValue.string(Base64.encoded($0)) } ?? .null }
        let selector =
            switch payload.selector {
            case .all: "all"
            case .suffix: "suffix"
            case .bitmap: "bitmap"
            }
        let replayed = payload.matrices.count { $0 != nil }
        extra.append("routing_matrices", .array(matrices))
        extra.append(
            "routing_metadata",
            [
                "routing_dtype": payload.element == .uint8 ? "uint8" : "uint16",
                "selector_mode": .string(selector), "total_token_count": .number(matrices.count),
                "replayed_token_count": .number(replayed),
                "replay_start_token": .number(payload.selector == .suffix ? matrices.count - replayed : 0),
            ])
    }
}
