// Part of Rollcall. SPDX-License-Identifier: Apache-2.0

public import WireJSON

/// Puts the chunks of a streamed chat completion together to the completion that would have come unstreamed.
///
/// All choices are kept, tool calls merged by their index, log probabilities and token ids joined; fields that are
/// not known have the last value that is not null.
public struct CompletionAssembler: Sendable {
    private var top = MergedObject()
    private var choices: [AssembledChoice] = []
    private var hasChoices = false

    /// Makes an assembler that has seen nothing.
    public init() {}

    /// Adds the data of one event.
    ///
    /// - Throws: ``JSONError`` when it is not JSON, ``JSONDecodingError`` when it is not an object with a list of
    ///   choices, or with none. Nothing has changed then.
    public mutating func add(_ chunk: [UInt8]) throws {
        let reader = JSONReader(try JSONValue(parsing: chunk))
        let object = try reader.object()
        var added: [JSONObject] = []
        for choice in try reader["choices"].present?.elements() ?? [] { added.append(try choice.object()) }

        for member in object.members where member.key.text != "choices" {
            top.replace(member.key.text, with: member.value)
        }
        for choice in added {
            hasChoices = true
            let index = choice["index"]?.int ?? 0
            if let position = choices.firstIndex(where: { $0.index == index }) {
                choices[position].add(choice)
            } else {
                var new = AssembledChoice(index: index)
                new.add(choice)
                choices.append(new)
            }
        }
    }

    /// How many choices have a finish reason; an empty one counts as none.
    public func finishedChoices() -> Int { choices.count { $0.finishReason != nil } }

    /// The completion as far as it has come; `nil` before the first chunk with choices.
    public var completion: JSONValue? {
        guard hasChoices else { return nil }
        var object = top.json
        object["object"] = "chat.completion"
        object["choices"] = .array(choices.sorted { $0.index < $1.index }.map(\.json))
        return .object(object)
    }
}

/// One choice of a completion in the making.
private struct AssembledChoice {
    let index: Int
    var finishReason: JSONValue?
    private var message = MergedObject()
    private var hasMessage = false
    private var logprobs: MergedObject?
    private var others = MergedObject()

    init(index: Int) { self.index = index }

    mutating func add(_ choice: JSONObject) {
        for member in choice.members {
            switch (member.key.text, member.value) {
            case ("index", _): break
            case ("finish_reason", .string(let reason)) where !reason.text.isEmpty: finishReason = .string(reason)
            case ("finish_reason", _): break
            case ("delta", .object(let delta)):
                hasMessage = hasMessage || !delta.isEmpty
                message.merge(delta)
            // Some servers repeat the whole message at the end.
            case ("message", .object(let whole)):
                if !hasMessage { message.merge(whole) }
            case ("logprobs", .object(let more)):
                var joined = logprobs ?? MergedObject()
                logprobs = nil  // so that nothing below is copied
                joined.merge(more)
                logprobs = joined
            case ("token_ids", .array(let ids)): others.append(ids, to: "token_ids")
            default: others.replace(member.key.text, with: member.value)
            }
        }
    }

    var json: JSONValue {
        var message = message.json
        if message["role"]?.string == nil { message["role"] = "assistant" }
        if message["content"] == nil { message["content"] = .null }
        var object: JSONObject = ["index": .number(index), "message": .object(message)]
        if let logprobs { object.append("logprobs", .object(logprobs.json)) }
        for member in others.json.members where member.key.text != "logprobs" || logprobs == nil {
            object.append(member.key.text, member.value)
        }
        object.append("finish_reason", finishReason ?? .null)
        return .object(object)
    }
}
