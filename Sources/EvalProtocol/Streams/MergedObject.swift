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

        init(_ value: JSONValue, key: String) {
            switch value {
            case .array(let calls) where key == "tool_calls":
                var merged = MergedToolCalls()
                merged.merge(calls)
                self = .toolCalls(merged)
            case .string(let string): self = .text(string)
            case .array(let array): self = .list(array)
            case .object(let object): self = .object(MergedObject(object))
            default: self = .value(value)
            }
        }

        /// Adds a piece. What grows is first taken out of `self`, so that there is one reference to it and no copy.
        mutating func merge(_ piece: JSONValue, key: String) {
            if piece == .null { return }
            switch (kind, piece) {
            case (.text, .string(let more)):
                guard case .text(var text) = self else { return }
                if MergedObject.wholeKeys.contains(key), !text.text.isEmpty { return }
                self = .value(.null)
                text.append(more)
                self = .text(text)
            case (.list, .array(let more)):
                guard case .list(var list) = self else { return }
                self = .value(.null)
                list += more
                self = .list(list)
            case (.object, .object(let more)):
                guard case .object(var object) = self else { return }
                self = .value(.null)
                object.merge(more)
                self = .object(object)
            case (.toolCalls, .array(let more)):
                guard case .toolCalls(var calls) = self else { return }
                self = .value(.null)
                calls.merge(more)
                self = .toolCalls(calls)
            // Content that began as a text and goes on in parts, or the other way round.
            case (.text, .array(let more)) where key == "content": self = .list(parts + more)
            case (.list, .string(let more)) where key == "content":
                self = .list(parts + Content.text(more).parts)
            default: self = Content(piece, key: key)
            }
        }

        private enum Kind { case value, text, list, object, toolCalls }

        private var kind: Kind {
            switch self {
            case .value: .value
            case .text: .text
            case .list: .list
            case .object: .object
            case .toolCalls: .toolCalls
            }
        }

        /// A message's content as parts.
        private var parts: [JSONValue] {
            switch self {
            case .list(let list): list
            case .text(let text): text.text.isEmpty ? [] : [["type": "text", "text": .string(text)]]
            default: []
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
    fileprivate static let wholeKeys: Set<String> = ["role", "id", "type", "name", "tool_call_id"]

    /// Adds the pieces that are in `pieces`.
    mutating func merge(_ pieces: JSONObject) {
        for member in pieces.members {
            let key = member.key.text
            if let index = members.firstIndex(where: { $0.key == key }) {
                members[index].content.merge(member.value, key: key)
            } else {
                members.append((key, Content(member.value, key: key)))
            }
        }
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
        members[index].content.merge(.array(elements), key: key)
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
