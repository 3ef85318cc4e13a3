// Part of Rollcall. SPDX-License-Identifier: Apache-2.0

import ModelProxy
import WireJSON

/// Of a request's body only that is changed which has to be: compared field by field, byte by byte.
enum EditsFuzz: FuzzTarget {
    static let name = "edits"

    static let seeds = [
        #"{"model":"fireworks_ai/m","messages":[{"role":"user","name":null,"content":null}, {"weight":0,"logprobs":[1]}],"n":2}"#,
        #"{ "messages" : [ {"control_plane_step":{"a":null},"role":"u","x":null} , 1 ],"metadata":{"tags":["a","b"]},"stream":true }"#,
        #"{"model":"fireworks_ai/old","model":"m","messages":[{"role":null,"role":"user"}],"messages":[]}"#,
    ].map { Array($0.utf8) }

    static func run(_ input: [UInt8]) {
        guard let fields = try? JSONFields(of: input.span) else {
            require((try? ModelRequest(body: input)) == nil, "a body that is no object is refused")
            return
        }
        read(input)
        let (edited, edits) = RequestEdits.body(input, fields: fields)
        guard let after = try? JSONFields(of: edited.span) else { fatalError("the edited body is no object") }
        require(after.fields.count == fields.fields.count, "a body keeps its fields")
        var found: [String] = []
        var (end, endAfter) = (0, 0)
        for (field, new) in zip(fields.fields, after.fields) {
            require(
                input[end..<field.value.lowerBound] == edited[endAfter..<new.value.lowerBound],
                "what stands between values stays")
            let value = input[field.value]
            if field.value == fields.value(of: "model", in: input.span), value.starts(with: prefix) {
                require(
                    edited[new.value].elementsEqual([UInt8(ascii: "\"")] + value.dropFirst(prefix.count)),
                    "the prefix alone goes")
                found.append("model-prefix")
            } else if field.value == fields.value(of: "messages", in: input.span) {
                found += messages(input, field.value, edited, new.value)
            } else {
                require(value == edited[new.value], "a value that needs no edit stays")
            }
            (end, endAfter) = (field.value.upperBound, new.value.upperBound)
        }
        require(input[end...] == edited[endAfter...], "what follows the values stays")
        require(Set(found) == Set(edits) && edits.count == Set(edits).count, "the record names the edits")
    }

    private static let prefix = Array("\"fireworks_ai/".utf8)
    private static let foreign: Set = ["control_plane_step", "weight", "logprobs"]

    /// What the gateway reads is what a parser finds.
    private static func read(_ input: [UInt8]) {
        guard let request = try? ModelRequest(body: input), let object = try? JSONValue(parsing: input) else {
            fatalError("a body that is an object is refused")
        }
        require(request.model == object["model"]?.string, "the model is the body's")
        require(request.streams == (object["stream"] == .bool(true)), "it streams if the body says so")
        require(request.choices == max(1, object["n"]?.int ?? 1), "the choices are the body's")
        require(
            request.tags == (object["metadata"]?["tags"]?.array ?? []).compactMap(\.string), "the tags are the body's")
    }

    /// The edits that messages needed.
    private static func messages(
        _ input: [UInt8], _ range: Range<Int>, _ edited: [UInt8], _ rangeAfter: Range<Int>
    ) -> [String] {
        guard let elements = JSONElements.ranges(ofArrayAt: range, in: input.span) else {
            require(input[range] == edited[rangeAfter], "what is no list of messages stays")
            return []
        }
        let after = JSONElements.ranges(ofArrayAt: rangeAfter, in: edited.span) ?? []
        require(elements.count == after.count, "no message goes or comes")
        var edits: [String] = []
        var (end, endAfter) = (range.lowerBound, rangeAfter.lowerBound)
        for (old, new) in zip(elements, after) {
            require(
                input[end..<old.lowerBound] == edited[endAfter..<new.lowerBound], "what stands between messages stays")
            edits += message(Array(input[old]), Array(edited[new]))
            (end, endAfter) = (old.upperBound, new.upperBound)
        }
        require(
            input[end..<range.upperBound] == edited[endAfter..<rangeAfter.upperBound], "what follows messages stays")
        return edits
    }

    private static func message(_ old: [UInt8], _ new: [UInt8]) -> [String] {
        guard let fields = try? JSONFields(of: old.span) else {
            require(old == new, "a message that is no object stays")
            return []
        }
        var edits: [String] = []
        var kept: [[ArraySlice<UInt8>]] = []
        for field in fields.fields {
            let name = (try? JSONValue(parsing: Array(old[field.key])))?.string ?? ""
            if foreign.contains(name) {
                edits.append("message-fields")
            } else if name != "content", old[field.value].elementsEqual("null".utf8) {
                edits.append("message-nulls")
            } else {
                kept.append([old[field.key], old[field.value]])
            }
        }
        if edits.isEmpty {
            require(old == new, "a message that needs no edit stays")
        } else {
            let after = (try? JSONFields(of: new.span))?.fields.map { [new[$0.key], new[$0.value]] }
            require(after == kept, "a message keeps every other field")
        }
        return edits
    }
}
