// Part of Rollcall. SPDX-License-Identifier: Apache-2.0

/// The head of an upstream's answer.
package struct ResponseHead: Sendable, Equatable {
    package var status: Int
    package var reason: String
    package var headers: HeaderFields
    package var length: BodyLength
    /// Whether the connection can be used again once the body has ended.
    package var keepsAlive: Bool
    /// The fields that are for this connection only besides the usual ones, in small letters.
    package var hopByHop: [String]

    package init(
        status: Int, reason: String, headers: HeaderFields, length: BodyLength, keepsAlive: Bool,
        hopByHop: [String] = []
    ) {
        self.status = status
        self.reason = reason
        self.headers = headers
        self.length = length
        self.keepsAlive = keepsAlive
        self.hopByHop = hopByHop
    }
}

extension ResponseHead {
    /// - Parameter bytes: the head with its empty line.
    init(parsing bytes: [UInt8], isAnswerToHEAD: Bool) throws(FramingError) {
        var position = 0
        let line = try HeadLines.next(bytes.span, &position)
        let (isHTTP11, status, reason) = try Self.statusLine(bytes, line)
        let headers = HeaderFields(try HeadLines.fields(bytes.span, from: position), in: bytes)
        let framing = try FramingFields(headers)
        guard !framing.isChunked || isHTTP11 else { throw FramingError("an answer of HTTP/1.0 is chunked") }
        let hasNoBody = isAnswerToHEAD || status < 200 || status == 204 || status == 304
        let length = hasNoBody ? .none : framing.bodyLength ?? .untilClose
        self.init(
            status: status, reason: reason, headers: headers, length: length,
            keepsAlive: length != .untilClose && !framing.saysClose && (isHTTP11 || framing.saysKeepAlive),
            hopByHop: framing.hopByHop)
    }

    private static let beginning = Array("HTTP/1.".utf8)

    /// What bytes before the end of the first line show already.
    static func checkBeginning(_ bytes: some Collection<UInt8>) throws(FramingError) {
        guard zip(bytes, beginning).allSatisfy(==) else {
            throw FramingError("what it answers is not HTTP/1.1")
        }
    }

    private static func statusLine(
        _ bytes: [UInt8], _ line: Range<Int>
    ) throws(FramingError) -> (isHTTP11: Bool, status: Int, reason: String) {
        try checkBeginning(bytes[line])
        // "HTTP/1.1 200", then a space and a reason, or nothing.
        guard line.count >= 12, bytes[8] == 0x20, line.count == 12 || bytes[12] == 0x20,
            bytes[7] == UInt8(ascii: "0") || bytes[7] == UInt8(ascii: "1")
        else { throw FramingError("its status line is not one of HTTP/1.1") }
        var status = 0
        for byte in bytes[9..<12] {
            guard (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(byte) else {
                throw FramingError("its status is no number")
            }
            status = status * 10 + Int(byte - UInt8(ascii: "0"))
        }
        guard status >= 100 else { throw FramingError("its status is below 100") }
        let reason = line.count > 13 ? String(decoding: bytes[13..<line.upperBound], as: UTF8.self) : ""
        return (bytes[7] == UInt8(ascii: "1"), status, reason)
    }
}
