// Part of Rollcall. SPDX-License-Identifier: Apache-2.0

import EvalProtocol
import TraceStore
import WireJSON

/// A recorded call in the form of a trace.
struct TraceView {
    private let call: StoredCall
    private let request: JSONValue
    private let answer: JSONValue

    init(_ call: StoredCall) {
        self.call = call
        request = (try? JSONValue(parsing: call.record.request.body)) ?? .null
        answer = (try? JSONValue(parsing: call.record.answer)) ?? .null
    }

    private static let name = "chat-completion"

    func json(includingPayloads: Bool) -> [UInt8] {
        var writer = JSONWriter()
        writer.member("id", .string(String(call.id)))
        writer.member("name", .string(Self.name))
        writer.member("user_id", .null)
        writer.member("session_id", .null)
        writer.member("tags", .array(call.tags.map { .string($0) }))
        writer.member("timestamp", time(call.id))
        writer.member("input", .object(input))
        writer.member("output", output)
        writer.member("metadata", .object(metadata))
        writer.member("observations", [observation])
        if includingPayloads { writer.member("payloads", .object(TracePayloads(answer, call.record.captured).json)) }
        return writer.finish()
    }

    private var input: JSONObject {
        let messages = request["messages"]?.array ?? []
        var input: JSONObject = [
            "messages": .array(messages.map(MessageRepair.repaired))
        ]
        let tools = (request["tools"]?.array ?? []).filter { $0.object != nil }
        if !tools.isEmpty { input.append("tools", .array(tools)) }
        return input
    }

    private var output: JSONValue {
        guard let message = choices.first?["message"] else { return .null }
        return MessageRepair.repaired(message)
    }

    private var choices: [JSONValue] { answer["choices"]?.array ?? [] }

    private var observation: JSONValue {
        let record = call.record
        return [
            "id": .string("\(call.id)-generation"), "type": "GENERATION", "name": .string(Self.name),
            "start_time": time(record.startedAt), "end_time": time(record.startedAt + record.microsecondsToEnd),
            "input": .null, "output": .null, "parent_observation_id": .null,
            "model": .optional(record.answeredModel ?? record.requestedModel),
            "usage": record.usage?.json ?? .null,
        ]
    }

    private var metadata: JSONObject {
        let record = call.record
        return [
            "request": .string(String(decoding: TraceSecrets.removing(from: record.request.body), as: UTF8.self)),
            "edits": .array(record.edits.map { .string($0) }),
            "upstream": .string(record.upstream),
            "streamed": .bool(record.streamed),
            "requested_model": .optional(record.requestedModel),
            "answered_model": .optional(record.answeredModel),
            "system_fingerprint": .optional(record.fingerprint),
            "policy_version": .optional(record.policyVersion),
            "attempt": .optional(record.metadata.attempt?.description),
            "attempt_number": .optional(call.attempt),
            "parent": .optional(call.parent.map(String.init)),
            "choices": .array(choices.map(Self.withoutTokens)),
            "finish_reason": .optional(record.finishReason),
            "usage": record.usage?.json ?? .null,
            "started_at": time(record.startedAt),
            "microseconds_to_first_byte": .optional(record.microsecondsToFirstByte),
            "microseconds_to_end": .optional(Optional(record.microsecondsToEnd)),
            "capture": capture,
            "request_id": .string(record.requestID),
        ]
    }

    /// `none`, `complete`, or what is missing and why.
    private var capture: JSONValue {
        let captured = call.record.captured
        if captured.capture == .none { return "none" }
        if captured.missing.isEmpty { return "complete" }
        return [
            "missing": .array(captured.missing.map { .string($0) }),
            "reasons": .array(captured.reasons.map { .string($0) }),
        ]
    }

    /// Log probabilities and token ids are many, and have their own place among the payloads.
    static func withoutTokens(_ choice: JSONValue) -> JSONValue {
        guard let object = choice.object else { return choice }
        return .object(
            object.removing([
                "logprobs", "token_ids", "prompt_token_ids", "prompt_logprobs", "meta_info", "routed_experts",
            ]))
    }

    private func time(_ microseconds: Int64) -> JSONValue {
        .string(Timestamp(microseconds: microseconds).description)
    }
}
