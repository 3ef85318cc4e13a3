// Part of Rollcall. SPDX-License-Identifier: Apache-2.0

package import NIOCore
package import NIOHTTP1
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
            let (n, u, quote, w, h, c, l, r) = (
                all("n"), all("u"), all("\""), all("w"), all("h"), all("c"), all("l"), all("r")
            )
            var index = range.lowerBound
            // 16 bytes at a time, each with the one behind it and the fifth after it.
            while index + 21 <= range.upperBound {
                let first = bytes.loadUnaligned(fromByteOffset: index, as: SIMD16<UInt8>.self)
                let second = bytes.loadUnaligned(fromByteOffset: index + 1, as: SIMD16<UInt8>.self)
                let sixth = bytes.loadUnaligned(fromByteOffset: index + 5, as: SIMD16<UInt8>.self)
                let nulls = (first .== n) .& (second .== u)
                let weights = (second .== w) .& (sixth .== h)
                let others = ((second .== c) .| (second .== l)) .& (sixth .== r)
                let found = nulls .| ((first .== quote) .& (weights .| others))
                // A mask of 16 lanes is 16 bytes, each all ones or zero, and the same as two words.
                let words = unsafeBitCast(found, to: SIMD2<UInt64>.self)
                if words[0] | words[1] != 0, holdsEditable(bytes, index..<index + 16, range.upperBound) { return true }
                index += 16
            }
            return holdsEditable(bytes, index..<range.upperBound, range.upperBound)
        }
    }

    /// Whether `null`, or the beginning of a foreign field's name, begins in the range and ends before `end`.
    private static func holdsEditable(_ bytes: UnsafeRawBufferPointer, _ range: Range<Int>, _ end: Int) -> Bool {
        for index in range {
            for word in editableWords where index + word.utf8CodeUnitCount <= end {
                var count = 0
                while count < word.utf8CodeUnitCount, bytes[index + count] == word.utf8Start[count] { count += 1 }
                if count == word.utf8CodeUnitCount { return true }
            }
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
        _ head: HTTPRequestHead, to target: UpstreamTarget, query: Substring, body: [UInt8]?, rules: HeadRules
    ) -> (bytes: ByteBuffer, edits: [String]) {
        var edits: [String] = []
        // The head is put together apart: a buffer takes several times as long over each small piece.
        var text: [UInt8] = []
        text.reserveCapacity(1024)
        text += head.method.rawValue.utf8
        text += " ".utf8
        text += target.path.utf8
        if !query.isEmpty {
            text += "?".utf8
            text += query.utf8
        }
        text += " HTTP/1.1\r\nhost: ".utf8
        text += target.origin.hostHeader.utf8
        text += "\r\n".utf8
        let named = headersNamed(byConnectionOf: head.headers)
        for (name, value) in head.headers {
            switch kind(of: name) {
            case .ofConnection: continue
            case .authorization:
                guard target.key == nil, rules.forwardsAuthorization else {
                    if target.key == nil { edits.append("authorization") }
                    continue
                }
            case .acceptEncoding:
                if rules.isRecorded {
                    if value != "identity" { edits.append("accept-encoding") }
                    continue
                }
            case .other:
                if !named.isEmpty, named.contains(name.lowercased()) { continue }
            }
            text += name.utf8
            text += ": ".utf8
            text += value.utf8
            text += "\r\n".utf8
        }
        if let key = target.key {
            text += "authorization: Bearer ".utf8
            text += key.utf8
            text += "\r\n".utf8
            edits.append("authorization")
        }
        if rules.isRecorded { text += "accept-encoding: identity\r\n".utf8 }
        if let body {
            text += "content-length: ".utf8
            text += String(body.count).utf8
            text += "\r\n".utf8
        }
        text += "\r\n".utf8
        var buffer = ByteBufferAllocator().buffer(capacity: text.count + (body?.count ?? 0))
        buffer.writeBytes(text)
        if let body { buffer.writeBytes(body) }
        return (buffer, edits)
    }

    private enum HeaderKind {
        case ofConnection, authorization, acceptEncoding, other
    }

    private static func kind(of name: String) -> HeaderKind {
        switch name.utf8.count {
        case 2 where name.isSame("te"), 4 where name.isSame("host"), 6 where name.isSame("expect"),
            7 where name.isSame("trailer") || name.isSame("upgrade"),
            10 where name.isSame("connection") || name.isSame("keep-alive"), 14 where name.isSame("content-length"),
            16 where name.isSame("proxy-connection"), 17 where name.isSame("transfer-encoding"),
            18 where name.isSame("proxy-authenticate"), 19 where name.isSame("proxy-authorization"):
            .ofConnection
        case 13 where name.isSame("authorization"): .authorization
        case 15 where name.isSame("accept-encoding"): .acceptEncoding
        default: .other
        }
    }

    /// The headers that `Connection` says are for this connection only.
    private static func headersNamed(byConnectionOf headers: HTTPHeaders) -> Set<String> {
        var names: Set<String> = []
        for (name, value) in headers where name.isSame("connection") {
            // What nearly all of them say.
            if value.isSame("keep-alive") || value.isSame("close") { continue }
            for option in value.split(separator: ",") {
                let word = option.lowercased().filter { $0 != " " && $0 != "\t" }
                if word != "close" && word != "keep-alive" && word != "upgrade" { names.insert(word) }
            }
        }
        return names
    }

    // MARK: The answer's head

    package enum AnswerLength {
        case known(Int)
        /// Chunks.
        case unknown
        /// The headers stay as they are: an answer without a body.
        case asUpstreamSays
    }

    package static func answerHead(
        _ head: ResponseHead, length: AnswerLength, requestID: String
    ) -> HTTPResponseHead {
        // Names that were checked when the head was parsed, and ours: they need not be checked again one by one.
        var headers: [(String, String)] = []
        headers.reserveCapacity(head.headers.count + 4)
        let named = headersNamed(byConnectionOf: head.headers)
        for (name, value) in head.headers {
            if case .ofConnection = kind(of: name), !isLengthToKeep(name, length) { continue }
            if !named.isEmpty, named.contains(name.lowercased()) { continue }
            if name.isSame("x-rollcall-request-id") { continue }
            headers.append((name, value))
        }
        headers.append(("x-rollcall-request-id", requestID))
        switch length {
        case .known(let count): headers.append(("content-length", String(count)))
        case .unknown: headers.append(("transfer-encoding", "chunked"))
        case .asUpstreamSays: break
        }
        return HTTPResponseHead(
            version: .http1_1, status: HTTPResponseStatus(statusCode: head.status, reasonPhrase: head.reason),
            headers: HTTPHeaders(headers))
    }

    private static func isLengthToKeep(_ name: String, _ length: AnswerLength) -> Bool {
        if case .asUpstreamSays = length { name.isSame("content-length") } else { false }
    }
}

extension String {
    /// Whether these are the letters of `text`, which is lower case, in either case.
    func isSame(_ text: StaticString) -> Bool {
        guard utf8.count == text.utf8CodeUnitCount else { return false }
        var index = 0
        for byte in utf8 {
            let lower = (UInt8(ascii: "A")...UInt8(ascii: "Z")).contains(byte) ? byte | 0x20 : byte
            if lower != text.utf8Start[index] { return false }
            index += 1
        }
        return true
    }
}
