// Part of Rollcall. SPDX-License-Identifier: Apache-2.0

package import NIOCore
import NIOHTTP1
package import WireJSON

/// Everything that the gateway changes in a request on its way to the upstream, and in an answer on its way back.
/// What is not named here passes byte for byte.
///
/// | what | why | name in the record |
/// |---|---|---|
/// | a leading `fireworks_ai/` of `model` goes | the Python client adds it; plain servers do not know it | `model-prefix` |
/// | null fields of messages go, except `content` | the Python client sends them; llama.cpp answers 500 | `message-nulls` |
/// | `control_plane_step`, `weight`, `logprobs` of messages go | they are Eval Protocol's, not the API's | `message-fields` |
/// | what ``UpstreamProfile`` names is added where a call is captured, and what it brings leaves the answer | training needs it, the client did not ask for it | `capture:FIELD` |
/// | `Accept-Encoding: identity` for recorded calls | the answer is read on its way | `accept-encoding` |
/// | `Authorization` becomes the upstream's own key, or goes | a key belongs to one origin | `authorization` |
/// | `Host`, `Content-Length`, `Expect` and hop-by-hop headers | they speak of one connection | – |
/// | `x-rollcall-request-id` is added to answers | it finds the call in the record | – |
/// | `Content-Length` or chunks, `Connection` of answers | they speak of one connection | – |
package enum RequestEdits {
    // MARK: The body

    /// The body for the upstream, and the names of the edits in it; the same body where there is nothing to do.
    package static func body(
        _ body: [UInt8], fields: JSONFields, capture: CapturePlan? = nil
    ) -> (bytes: [UInt8], edits: [String]) {
        var splices = ByteSplices()
        var edits: [String] = []
        if let model = fields.value(of: "model", in: body.span), let prefix = prefix(ofModelAt: model, in: body) {
            splices.replace(prefix, with: [])
            edits.append("model-prefix")
        }
        if let messages = fields.value(of: "messages", in: body.span), mayNeedEdits(body, messages) {
            var hasNulls = false
            var hasFields = false
            for range in JSONElements.ranges(ofArrayAt: messages, in: body.span) ?? [] {
                guard let message = try? JSONFields(ofObjectAt: range, in: body.span) else { continue }
                // Each field for itself: of one name there may be one that goes and one that stays.
                let removed = message.fields.indices.filter { index in
                    let field = message.fields[index]
                    let name = field.name(in: body)
                    let isForeign = foreignFields.contains(name)
                    guard isForeign || (name != "content" && isNull(body, field.value)) else { return false }
                    if isForeign { hasFields = true } else { hasNulls = true }
                    return true
                }
                splices.remove(removed, from: message)
            }
            if hasNulls { edits.append("message-nulls") }
            if hasFields { edits.append("message-fields") }
        }
        if let capture, !capture.added.isEmpty {
            splices.set(capture.added.map { ($0.name, $0.value) }, in: fields, of: body)
            edits += capture.added.map { "capture:\($0.name)" }
        }
        return (splices.applied(to: body), edits)
    }

    private static let foreignFields: Set<String> = ["control_plane_step", "weight", "logprobs"]
    private static let editableWords: [StaticString] = ["null", "\"control_plane_step\"", "\"weight\"", "\"logprobs\""]
    private static let modelPrefix = Array("\"fireworks_ai/".utf8)

    private static func prefix(ofModelAt model: Range<Int>, in body: [UInt8]) -> Range<Int>? {
        guard body[model].starts(with: modelPrefix) else { return nil }
        return model.lowerBound + 1..<model.lowerBound + modelPrefix.count
    }

    /// A quick look: without `null` and without the beginning of a foreign field's name there is nothing to take out of
    /// the messages.
    private static func mayNeedEdits(_ body: [UInt8], _ range: Range<Int>) -> Bool {
        body.withUnsafeBytes { bytes in
            func all(_ character: Unicode.Scalar) -> SIMD16<UInt8> { SIMD16(repeating: UInt8(ascii: character)) }
            let (n, u, quote) = (all("n"), all("u"), all("\""))
            var index = range.lowerBound
            // 16 bytes at a time, each with the one behind it: most are of a text, in which none of these stands.
            while index + 17 <= range.upperBound {
                let first = bytes.loadUnaligned(fromByteOffset: index, as: SIMD16<UInt8>.self)
                let second = bytes.loadUnaligned(fromByteOffset: index + 1, as: SIMD16<UInt8>.self)
                // Only comparisons become vector code, no arithmetic with masks. A mask of 16 lanes is 16 bytes, each all
                // ones or zero, and the same as two words.
                let nulls = unsafeBitCast(((first ^ n) | (second ^ u)) .== .zero, to: SIMD2<UInt64>.self)
                let quotes = unsafeBitCast(first .== quote, to: SIMD2<UInt64>.self)
                let found = nulls | quotes
                let (low, high) = (found[0], found[1])
                if low | high != 0,
                    isEditable(bytes, low, from: index, range.upperBound)
                        || isEditable(bytes, high, from: index + 8, range.upperBound)
                {
                    return true
                }
                index += 16
            }
            return (index..<range.upperBound).contains { isEditable(bytes, at: $0, range.upperBound) }
        }
    }

    /// Whether `null`, or the beginning of a foreign field's name, begins at the place and ends before `end`.
    private static func isEditable(_ bytes: UnsafeRawBufferPointer, at place: Int, _ end: Int) -> Bool {
        guard place + 1 < end else { return false }
        let second = bytes[place + 1]
        for word in editableWords where second == word.utf8Start[1] && place + word.utf8CodeUnitCount <= end {
            var count = 0
            while count < word.utf8CodeUnitCount, bytes[place + count] == word.utf8Start[count] { count += 1 }
            if count == word.utf8CodeUnitCount { return true }
        }
        return false
    }

    /// The same of any of eight places, whose bytes in `marks` are all ones.
    private static func isEditable(
        _ bytes: UnsafeRawBufferPointer, _ marks: UInt64, from start: Int, _ end: Int
    ) -> Bool {
        var marks = UInt64(littleEndian: marks)
        while marks != 0 {
            let lane = marks.trailingZeroBitCount / 8
            if isEditable(bytes, at: start + lane, end) { return true }
            marks &= ~(0xFF << UInt64(8 * lane))
        }
        return false
    }

    private static func isNull(_ body: [UInt8], _ range: Range<Int>) -> Bool {
        range.count == 4 && body[range.lowerBound] == UInt8(ascii: "n")
    }

    // MARK: The request's head

    package struct HeadRules {
        package var isRecorded: Bool
        /// Whether the caller's key goes on to an upstream without a key of its own.
        package var forwardsAuthorization: Bool

        package init(isRecorded: Bool, forwardsAuthorization: Bool) {
            self.isRecorded = isRecorded
            self.forwardsAuthorization = forwardsAuthorization
        }
    }

    /// The whole request for the upstream, and the names of the edits in its head.
    package static func request(
        _ head: RequestHead, to target: UpstreamTarget, query: Substring, body: [UInt8]?, rules: HeadRules
    ) -> (bytes: ByteBuffer, edits: [String]) {
        var edits: [String] = []
        var text = HeadText(capacity: head.headers.bytes.count + 512)
        text.append(text: head.method.rawValue)
        text.append(" ")
        text.append(text: target.path)
        if !query.isEmpty {
            text.append("?")
            text.append(text: query)
        }
        text.append(" HTTP/1.1\r\n")
        text.append("host", target.origin.hostHeader)
        let bytes = head.headers.bytes
        for field in head.headers.fields {
            switch kind(of: field.name, in: bytes) {
            case .ofConnection: continue
            case .authorization:
                guard target.key == nil, rules.forwardsAuthorization else {
                    if target.key == nil { edits.append("authorization") }
                    continue
                }
            case .acceptEncoding:
                if rules.isRecorded {
                    if !bytes.isSame(field.value, as: "identity") { edits.append("accept-encoding") }
                    continue
                }
            case .requestID, .other:
                if !head.hopByHop.isEmpty, isNamed(field.name, in: bytes, among: head.hopByHop) { continue }
            }
            text.append(field, of: bytes)
        }
        if let key = target.key {
            text.append("authorization", "Bearer " + key)
            edits.append("authorization")
        }
        if rules.isRecorded { text.append("accept-encoding: identity\r\n") }
        if let body { text.append("content-length", body.count) }
        text.append("\r\n")
        return (text.buffer(with: body ?? []), edits)
    }

    private enum HeaderKind {
        case ofConnection, authorization, acceptEncoding, requestID, other
    }

    private static func kind(of name: Range<Int>, in bytes: [UInt8]) -> HeaderKind {
        func same(_ text: StaticString) -> Bool { bytes.isSame(name, as: text) }
        return switch name.count {
        case 2 where same("te"), 4 where same("host"), 6 where same("expect"),
            7 where same("trailer") || same("upgrade"),
            10 where same("connection") || same("keep-alive"), 14 where same("content-length"),
            16 where same("proxy-connection"), 17 where same("transfer-encoding"), 18 where same("proxy-authenticate"),
            19 where same("proxy-authorization"):
            .ofConnection
        case 13 where same("authorization"): .authorization
        case 15 where same("accept-encoding"): .acceptEncoding
        case 21 where same("x-rollcall-request-id"): .requestID
        default: .other
        }
    }

    private static func isNamed(_ name: Range<Int>, in bytes: [UInt8], among names: [String]) -> Bool {
        names.contains { $0.utf8.elementsEqual(bytes[name].lazy.map(\.lowercased)) }
    }

    // MARK: The answer's head

    package enum AnswerLength {
        case known(Int)
        /// Chunks, or the connection's end.
        case unknown
        /// The headers stay as they are: an answer without a body.
        case asUpstreamSays
    }

    /// Writes the fields of an answer's head, but for `Connection` and how a body of unknown length ends.
    static func writeFields(
        of head: ResponseHead, length: AnswerLength, requestID: String, to text: inout HeadText
    ) {
        let bytes = head.headers.bytes
        for field in head.headers.fields {
            switch kind(of: field.name, in: bytes) {
            case .ofConnection:
                guard case .asUpstreamSays = length, bytes.isSame(field.name, as: "content-length") else { continue }
            case .requestID: continue
            case .authorization, .acceptEncoding, .other:
                if !head.hopByHop.isEmpty, isNamed(field.name, in: bytes, among: head.hopByHop) { continue }
            }
            text.append(field, of: bytes)
        }
        text.append("x-rollcall-request-id", requestID)
        if case .known(let count) = length { text.append("content-length", count) }
    }
}
