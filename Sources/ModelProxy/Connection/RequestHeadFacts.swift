// Part of Rollcall. SPDX-License-Identifier: Apache-2.0

import NIOHTTP1

/// What a request's head says about itself and its connection, read in one pass.
///
/// The parser lets some heads through that another reader, in front of the gateway or behind it, might understand
/// differently: those are refused.
struct RequestHeadFacts {
    /// Whether the client waits for leave to send the body.
    private(set) var expectsContinue = false
    /// Whether the client would speak another protocol from here on. It is answered in this one.
    private(set) var asksForUpgrade = false

    /// - Throws: The answer to a head that is refused.
    init(_ head: HTTPRequestHead) throws(GatewayProblem) {
        var hosts = 0
        var codings = 0
        for (name, value) in head.headers {
            switch name.utf8.count {
            case 4 where name.isSame("host"):
                hosts += 1
                guard hosts == 1 else { throw .notHTTP("it has more than one Host") }
                guard Self.isHost(value) else { throw .notHTTP("its Host is no name or address") }
            case 6 where name.isSame("expect"): expectsContinue = !head.isHTTP10 && value.isSame("100-continue")
            case 7 where name.isSame("upgrade"): asksForUpgrade = true
            case 17 where name.isSame("transfer-encoding"):
                codings += 1
                guard codings == 1, value == "chunked", !head.isHTTP10 else {
                    throw .notHTTP(
                        "its Transfer-Encoding is not just chunked, in these letters, once, and in HTTP/1.1")
                }
            default: break
            }
        }
        guard hosts == 1 || head.isHTTP10 else { throw .notHTTP("it has no Host") }
        guard head.uri.utf8.first == UInt8(ascii: "/"), !head.uri.utf8.contains(UInt8(ascii: "#")) else {
            throw .notHTTP("its target is no path; this gateway is no proxy for other hosts")
        }
    }

    /// Whether these are bytes that a host and a port can have.
    private static func isHost(_ text: String) -> Bool {
        !text.isEmpty
            && text.utf8.allSatisfy { byte in
                switch byte {
                case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
                    UInt8(ascii: "0")...UInt8(ascii: "9"):
                    true
                default: hostMarks.contains(byte)
                }
            }
    }

    private static let hostMarks = Array(".-_:[]%~!$&'()*+,;=".utf8)
}

extension HTTPRequestHead {
    var isHTTP10: Bool { version.major < 1 || version == .http1_0 }

    /// Whether the client waits for leave to send the body.
    var expectsContinue: Bool { !isHTTP10 && headers.first(name: "expect")?.isSame("100-continue") ?? false }

    /// Whether the client counts on the connection's end with the answer, and so may end its own side before.
    var closesConnection: Bool { isHTTP10 || !isKeepAlive }
}
