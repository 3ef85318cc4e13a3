// Part of Rollcall. SPDX-License-Identifier: Apache-2.0

import EvalProtocol
package import WireJSON

/// What the gateway reads in the body of a model call. A class, for all who look at a call share it.
package final class ModelRequest: Sendable {
    /// As the client sent it.
    package let body: [UInt8]
    package let fields: JSONFields
    package let model: String?
    /// Whether the answer is asked for as a stream of events.
    package let streams: Bool
    /// How many choices are asked for.
    package let choices: Int
    /// `metadata.tags`
    package let tags: [String]

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
        var tags: [String] = []
        if let metadata = fields.value(of: "metadata", in: body.span),
            let inner = try? JSONFields(ofObjectAt: metadata, in: body.span),
            let list = inner.value(of: "tags", in: body.span)
        {
            for range in JSONElements.ranges(ofArrayAt: list, in: body.span) ?? [] {
                if let tag = body.string(at: range) { tags.append(tag) }
            }
        }
        self.tags = tags
    }
}

extension JSONFields {
    /// The places of the members with this name, repeated ones included.
    func indices(named name: String, in bytes: [UInt8]) -> [Int] {
        fields.indices.filter { fields[$0].isNamed(name, in: bytes) }
    }
}

extension JSONFields.Field {
    /// The key, its escapes resolved.
    func name(in bytes: [UInt8]) -> String {
        let raw = bytes[(key.lowerBound + 1)..<(key.upperBound - 1)]
        if !raw.contains(UInt8(ascii: "\\")) { return String(decoding: raw, as: UTF8.self) }
        return (try? JSONValue(parsing: Array(bytes[key])))?.string ?? ""
    }

    func isNamed(_ name: String, in bytes: [UInt8]) -> Bool {
        let raw = bytes[(key.lowerBound + 1)..<(key.upperBound - 1)]
        // An escape is longer than what it stands for.
        if raw.count == name.utf8.count { return raw.elementsEqual(name.utf8) }
        return raw.count > name.utf8.count && raw.contains(UInt8(ascii: "\\")) && self.name(in: bytes) == name
    }
}

extension [UInt8] {
    /// Whether a value as JSON stands at `range` that is not `null`.
    func isPresent(at range: Range<Int>?) -> Bool {
        guard let range, let first = self[range].first else { return false }
        return first != UInt8(ascii: "n")
    }

    /// The list of whole numbers that stands at `range` as JSON; `nil` for anything else.
    func integers(at range: Range<Int>) -> [Int32]? {
        guard range.count >= 2, self[range.lowerBound] == UInt8(ascii: "[") else { return nil }
        var numbers: [Int32] = []
        numbers.reserveCapacity(range.count / 6)
        var number: Int32?
        for byte in self[(range.lowerBound + 1)..<range.upperBound] {
            switch byte {
            case UInt8(ascii: "0")...UInt8(ascii: "9"):
                let (tens, overflows) = (number ?? 0).multipliedReportingOverflow(by: 10)
                let (sum, exceeds) = tens.addingReportingOverflow(Int32(byte - UInt8(ascii: "0")))
                guard !overflows, !exceeds else { return nil }
                number = sum
            case UInt8(ascii: ","), UInt8(ascii: "]"):
                if let number { numbers.append(number) }
                number = nil
            case 0x20, 0x09, 0x0A, 0x0D: continue
            default: return nil
            }
        }
        return numbers
    }

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
