// Part of Rollcall. SPDX-License-Identifier: Apache-2.0

package import NIOHTTP1

/// The head of a client's request, which nobody could understand in two ways. A class, for it is handed on half a dozen
/// times.
package final class RequestHead: Sendable {
    package let method: HTTPMethod
    /// A path, with or without a query.
    package let target: String
    package let isHTTP10: Bool
    package let headers: HeaderFields
    package let length: BodyLength
    /// Whether the client counts on the connection for further requests.
    package let keepsAlive: Bool
    /// Whether the client waits for leave to send the body.
    package let expectsContinue: Bool
    /// The fields that are for this connection only besides the usual ones, in small letters.
    let hopByHop: [String]
    /// Where the value of `Authorization` stands.
    private let authorizationRange: Range<Int>?

    /// - Parameter bytes: the head with its empty line.
    package init(parsing bytes: [UInt8]) throws(FramingError) {
        var position = 0
        let line = try HeadLines.next(bytes.span, &position)
        let (method, target) = try Self.requestLine(bytes, line)
        self.method = method
        self.target = String(decoding: bytes[target], as: UTF8.self)
        isHTTP10 = bytes[line.upperBound - 1] == UInt8(ascii: "0")
        headers = HeaderFields(try HeadLines.fields(bytes.span, from: position), in: bytes)
        let framing = try FramingFields(headers)
        length = framing.bodyLength ?? .none
        hopByHop = framing.hopByHop
        var asksForUpgrade = false
        var hosts = 0
        var expectsContinue = false
        var authorizationRange: Range<Int>?
        for field in headers.fields {
            switch field.name.count {
            case 4 where bytes.isSame(field.name, as: "host"):
                hosts += 1
                guard hosts == 1 else { throw FramingError("it has more than one Host") }
                guard Self.isHost(bytes[field.value]) else { throw FramingError("its Host is no name or address") }
            case 6 where bytes.isSame(field.name, as: "expect"):
                expectsContinue = !isHTTP10 && bytes.isSame(field.value, as: "100-continue")
            case 7 where bytes.isSame(field.name, as: "upgrade"): asksForUpgrade = true
            case 13 where bytes.isSame(field.name, as: "authorization"):
                if authorizationRange == nil { authorizationRange = field.value }
            case 17 where bytes.isSame(field.name, as: "transfer-encoding"):
                // Another reader may not know it in capitals.
                guard bytes[field.value].elementsEqual("chunked".utf8), !isHTTP10 else {
                    throw FramingError(
                        "its Transfer-Encoding is not just chunked, in these letters, once, and in HTTP/1.1")
                }
            default: break
            }
        }
        guard hosts == 1 || isHTTP10 else { throw FramingError("it has no Host") }
        self.expectsContinue = expectsContinue
        self.authorizationRange = authorizationRange
        // Who would speak another protocol from here on is answered in this one, and that is the end.
        keepsAlive = !framing.saysClose && (!isHTTP10 || framing.saysKeepAlive) && !asksForUpgrade
    }

    /// The value of `Authorization`.
    var authorization: ArraySlice<UInt8>? { authorizationRange.map { headers.bytes[$0] } }

    /// Whether the client counts on the connection's end with the answer, and so may end its own side before.
    var closesConnection: Bool { !keepsAlive }

    /// The same as NIO's type has it.
    var standard: HTTPRequestHead {
        HTTPRequestHead(
            version: isHTTP10 ? .http1_0 : .http1_1, method: method, uri: target, headers: HTTPHeaders(headers.strings))
    }

    /// What bytes before the end of the first line show already.
    static func checkBeginning(_ bytes: some Collection<UInt8>) throws(FramingError) {
        let word = bytes.prefix(maximumMethodBytes + 1).prefix { $0 != 0x20 }
        guard bytes.first != 0x20, word.count <= maximumMethodBytes, word.allSatisfy(isMethodByte) else {
            throw FramingError("it does not begin with a method")
        }
    }

    /// The longest that there is.
    private static let maximumMethodBytes = 16

    private static func isMethodByte(_ byte: UInt8) -> Bool {
        (UInt8(ascii: "A")...UInt8(ascii: "Z")).contains(byte) || byte == UInt8(ascii: "-")
    }

    private static func requestLine(
        _ bytes: [UInt8], _ line: Range<Int>
    ) throws(FramingError) -> (method: HTTPMethod, target: Range<Int>) {
        let version = " HTTP/1.".utf8
        guard let space = bytes[line].firstIndex(of: 0x20), let method = method(bytes[..<space]) else {
            throw FramingError("it does not begin with a method")
        }
        let end = line.upperBound - version.count - 1
        guard end > space, bytes[end..<(line.upperBound - 1)].elementsEqual(version),
            bytes[line.upperBound - 1] == UInt8(ascii: "0") || bytes[line.upperBound - 1] == UInt8(ascii: "1")
        else { throw FramingError("its first line is not one of HTTP/1.1") }
        let target = space + 1..<end
        guard bytes[target].first == UInt8(ascii: "/") else {
            throw FramingError("its target is no path; this gateway is no proxy for other hosts")
        }
        guard bytes[target].allSatisfy({ (0x21..<0x7F).contains($0) && $0 != UInt8(ascii: "#") }) else {
            throw FramingError("its target has a character that it must not have")
        }
        return (method, target)
    }

    private static func method(_ bytes: ArraySlice<UInt8>) -> HTTPMethod? {
        if bytes.elementsEqual("POST".utf8) { return .POST }
        if bytes.elementsEqual("GET".utf8) { return .GET }
        guard bytes.count <= maximumMethodBytes else { return nil }
        let method = HTTPMethod(rawValue: String(decoding: bytes, as: UTF8.self))
        // A method that NIO has no name for, or none.
        if case .RAW(let name) = method, name != "QUERY" { return nil }
        return method
    }

    /// Whether these are bytes that a host and a port can have.
    private static func isHost(_ bytes: ArraySlice<UInt8>) -> Bool {
        !bytes.isEmpty
            && bytes.allSatisfy { byte in
                switch byte {
                case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
                    UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "."), UInt8(ascii: "-"), UInt8(ascii: ":"):
                    true
                default: "_[]%~!$&'()*+,;=".utf8.contains(byte)
                }
            }
    }
}
