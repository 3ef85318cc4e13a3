// Part of Rollcall. SPDX-License-Identifier: Apache-2.0

import WireJSON

/// An object that grows piece by piece: texts are joined, lists appended to, objects merged.
///
/// Pieces are many and short, so a text or list grows in place and is never copied for the next piece.
struct MergedObject: Sendable {
    private enum Content: Sendable {
        case value(JSONValue)
        case text(JSONString)
        case list([JSONValue])
        case object(MergedObject)
        case toolCalls(MergedToolCalls)

        init(_ value: JSONValue) {
            switch value {
            case .string(let string): self = .text(string)
            case .array(let array): self = .list(array)
            case .object(let object): self = .object(MergedObject(object))
            default: self = .value(value)
            }
        }

        var json: JSONValue {
            switch self {
            case .value(let value): value
            case .text(let text): .string(text)
            case .list(let list): .array(list)
            case .object(let object): .object(object.json)
            case .toolCalls(let calls): calls.json
            }
        }
    }

    private var members: [(key: String, content: Content)] = []

    init() {}

    init(_ object: JSONObject) { merge(object) }

    /// Fields that come whole, so that a second piece says nothing new.
    private static let wholeKeys: Set<String> = ["role", "id", "type", "name", "tool_call_id"]

    /// Adds the pieces that are in `pieces`.
    mutating func merge(_ pieces: JSONObject) {
        for member in pieces.members {
            let key = member.key.text
            if key == "tool_calls", case .array(let calls) = member.value {
                mergeToolCalls(calls)
            } else if let index = members.firstIndex(where: { $0.key == key }) {
                merge(member.value, at: index)
            } else {
                members.append((key, Content(member.value)))
            }
        }
    }

    private mutating func merge(_ piece: JSONValue, at index: Int) {
        let key = members[index].key
        let content = members[index].content
        members[index].content = .value(.null)
        switch (consume content, piece) {
        case (let content, .null): members[index].content = content
        case (.text(let text), .string) where Self.wholeKeys.contains(key) && !text.text.isEmpty:
            members[index].content = .text(text)
        case (.text(var text), .string(let more)):
            text.append(more)
            members[index].content = .text(text)
        case (.list(var list), .array(let more)):
            list += more
            members[index].content = .list(list)
        // Content that began as a text and goes on in parts, or the other way round.
        case (.text(let text), .array(let more)) where key == "content":
            members[index].content = .list((text.text.isEmpty ? [] : [Self.textPart(text)]) + more)
        case (.list(let list), .string(let more)) where key == "content":
            members[index].content = .list(list + (more.text.isEmpty ? [] : [Self.textPart(more)]))
        case (.object(var object), .object(let more)):
            object.merge(more)
            members[index].content = .object(object)
        case (_, let piece): members[index].content = Content(piece)
        }
    }

    private static func textPart(_ text: JSONString) -> JSONValue { ["type": "text", "text": .string(text)] }

    private mutating func mergeToolCalls(_ calls: [JSONValue]) {
        guard let index = members.firstIndex(where: { $0.key == "tool_calls" }) else {
            var merged = MergedToolCalls()
            merged.merge(calls)
            members.append(("tool_calls", .toolCalls(merged)))
            return
        }
        let content = members[index].content
        members[index].content = .value(.null)
        var merged = MergedToolCalls()
        if case .toolCalls(let earlier) = consume content { merged = earlier }
        merged.merge(calls)
        members[index].content = .toolCalls(merged)
    }

    /// Sets a field, unless `value` is null and there is something already.
    mutating func replace(_ key: String, with value: JSONValue) {
        guard let index = members.firstIndex(where: { $0.key == key }) else {
            members.append((key, .value(value)))
            return
        }
        if value != .null { members[index].content = .value(value) }
    }

    /// Appends to a field that is a list.
    mutating func append(_ elements: [JSONValue], to key: String) {
        guard let index = members.firstIndex(where: { $0.key == key }) else {
            members.append((key, .list(elements)))
            return
        }
        merge(.array(elements), at: index)
    }

    /// The field's text, if it is one.
    func text(_ key: String) -> String? {
        guard case .text(let text)? = members.first(where: { $0.key == key })?.content else { return nil }
        return text.text
    }

    /// The field's object, if it is one.
    func object(_ key: String) -> MergedObject? {
        guard case .object(let object)? = members.first(where: { $0.key == key })?.content else { return nil }
        return object
    }

    var json: JSONObject { JSONObject(members.map { (JSONString($0.key), $0.content.json) }) }
}
