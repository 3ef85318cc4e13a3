// Part of Rollcall. SPDX-License-Identifier: Apache-2.0

import EvalProtocol
import TraceStore
import WireJSON

/// A recorded call as one line of its rollout's tree: what it adds to the call that it continues, and the answer.
struct ConversationView {
    /// A call's messages and tools, as they stand in its request.
    struct Request {
        let id: Int64
        let messages: [ArraySlice<UInt8>]
        let tools: ArraySlice<UInt8>?

        init(_ call: StoredCall) {
            id = call.id
            let body = call.record.request.body
            let fields = try? JSONFields(of: body.span)
            let list = fields?.value(of: "messages", in: body.span)
            messages = (list.flatMap { JSONElements.ranges(ofArrayAt: $0, in: body.span) } ?? []).map { body[$0] }
            tools = fields?.value(of: "tools", in: body.span).map { body[$0] }
        }
    }

    let node: ConversationTree.Node
    let call: StoredCall
    let request: Request
    /// `nil` at the beginning of a conversation.
    let parent: Request?

    func json(includingRequest: Bool) -> [UInt8] {
        let record = call.record
        let history = RepeatedHistory(of: request.messages, in: parent?.messages ?? [])
        let answer = (try? JSONValue(parsing: record.answer)) ?? .null
        let choices = answer["choices"]?.array ?? []
        let repeatsTools = parent != nil && parent?.tools == request.tools
        var writer = JSONWriter()
        writer.member("id", .string(String(node.id)))
        writer.member("parent", .optional(node.parent.map(String.init)))
        writer.member("depth", .number(JSONNumber(node.depth)))
        writer.member("branch", .number(JSONNumber(node.branch)))
        writer.member("attempt", .optional(record.metadata.attempt?.description))
        writer.member("attempt_number", .optional(call.attempt))
        writer.member("messages", .number(JSONNumber(request.messages.count)))
        writer.member("repeated", .number(JSONNumber(history.count)))
        writer.member("history", .array(history.runs.map(Self.json)))
        writer.member("new_messages", .array(new(history)))
        writer.member("repeats_tools", .bool(repeatsTools))
        writer.member("tools", repeatsTools ? .null : value(request.tools))
        writer.member("answer", choices.first?["message"] ?? .null)
        writer.member("finish_reason", .optional(record.finishReason))
        writer.member("other_choices", .array(choices.dropFirst().map(TraceView.withoutTokens)))
        writer.member("usage", record.usage?.json ?? .null)
        writer.member("model", .optional(record.answeredModel ?? record.requestedModel))
        writer.member("started_at", .string(Timestamp(microseconds: record.startedAt).description))
        writer.member("microseconds_to_end", .number(JSONNumber(record.microsecondsToEnd)))
        writer.member("request_id", .string(record.requestID))
        if includingRequest {
            let body = TraceSecrets.removing(from: record.request.body)
            writer.member("request", .string(String(decoding: body, as: UTF8.self)))
        }
        return writer.finish()
    }

    private func new(_ history: RepeatedHistory) -> [JSONValue] {
        history.runs.flatMap { run in
            if case .new(let range) = run { range.map { value(request.messages[$0]) } } else { [] as [JSONValue] }
        }
    }

    /// Written anew, for a line has no line breaks in it.
    private func value(_ bytes: ArraySlice<UInt8>?) -> JSONValue {
        bytes.flatMap { try? JSONValue(parsing: Array($0)) } ?? .null
    }

    private static func json(_ run: RepeatedHistory.Run) -> JSONValue {
        switch run {
        case .repeated(let start, let count):
            ["from": .number(JSONNumber(start)), "count": .number(JSONNumber(count))]
        case .new(let range): ["new": .number(JSONNumber(range.count))]
        }
    }
}
