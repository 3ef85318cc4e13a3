// Part of Rollcall. SPDX-License-Identifier: Apache-2.0

import EvalProtocol
package import WireJSON

/// What the gateway reads in the body of a model call.
package struct ModelRequest: Sendable {
    /// As the client sent it.
    package var body: [UInt8]
    package var fields: JSONFields
    package var model: String?
    /// Whether the answer is asked for as a stream of events.
    package var streams: Bool
    /// How many choices are asked for.
    package var choices: Int
    /// `metadata.tags`
    package var tags: [String]

    /// - Throws: the answer to a body that is no JSON object.
    package init(body: [UInt8]) throws(GatewayProblem) {
        do {
            fields = try JSONFields(of: body.span)
        } catch {
            throw .notJSON(error)
        }
        self.body = body
        model = body.string(at: fields.value(of: "model", in: body.span))
        streams = fields.value(of: "stream", in: body.span).map { body[$0].elementsEqual("true".utf8) } ?? false
        choices = max(1, body.integer(at: fields.value(of: "n", in: body.span)) ?? 1)
        tags = []
        if let metadata = fields.value(of: "metadata", in: body.span),
            let inner = try? JSONFields(ofObjectAt: metadata, in: body.span),
            let list = inner.value(of: "tags", in: body.span)
        {
            for range in JSONElements.ranges(ofArrayAt: list, in: body.span) ?? [] {
                if let tag = body.string(at: range) { tags.append(tag) }
            }
        }
    }
}

extension [UInt8] {
    /// The string that stands at `range` as JSON.
    func string(at range: Range<Int>?) -> String? {
        guard let range, range.count >= 2, self[range.lowerBound] == UInt8(ascii: "\"") else { return nil }
        let inner = self[(range.lowerBound + 1)..<(range.upperBound - 1)]
        if !inner.contains(UInt8(ascii: "\\")) { return String(decoding: inner, as: UTF8.self) }
        return (try? JSONValue(parsing: Array(self[range])))?.string
    }

    /// The whole number that stands at `range` as JSON.
    func integer(at range: Range<Int>?) -> Int? {
        guard let range else { return nil }
        return Int(String(decoding: self[range], as: UTF8.self)) ?? (try? JSONValue(parsing: Array(self[range])))?.int
    }
}
