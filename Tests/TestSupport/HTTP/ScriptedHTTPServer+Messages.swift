// Part of Rollcall. SPDX-License-Identifier: Apache-2.0

package import NIOHTTP1
package import WireJSON

extension ScriptedHTTPServer {
    package struct Request: Sendable {
        package var method: String
        /// As it stood in the request line.
        package var uri: String
        package var headers: HTTPHeaders
        package var body: [UInt8]

        /// Without the query, still percent-encoded.
        package var path: String { String(uri.prefix { $0 != "?" }) }

        /// The values of a query parameter, percent-decoded.
        package func query(_ name: String) -> [String] {
            guard let mark = uri.firstIndex(of: "?") else { return [] }
            return uri[uri.index(after: mark)...].split(separator: "&").compactMap { pair in
                let parts = pair.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
                guard Self.decoded(parts[0]) == name else { return nil }
                return parts.count > 1 ? Self.decoded(parts[1]) : ""
            }
        }

        /// The first header of this name, whatever its case.
        package func header(_ name: String) -> String? { headers.first(name: name) }

        /// The body as JSON, or `nil` when it is none.
        package var json: JSONValue? { try? JSONValue(parsing: body) }

        package var text: String { String(decoding: body, as: UTF8.self) }

        private static func decoded(_ text: Substring) -> String {
            var bytes: [UInt8] = []
            var rest = Array(text.utf8)[...]
            while let byte = rest.popFirst() {
                if byte == UInt8(ascii: "%"), rest.count >= 2,
                    let value = UInt8(String(decoding: rest.prefix(2), as: UTF8.self), radix: 16)
                {
                    bytes.append(value)
                    rest = rest.dropFirst(2)
                } else {
                    bytes.append(byte == UInt8(ascii: "+") ? UInt8(ascii: " ") : byte)
                }
            }
            return String(decoding: bytes, as: UTF8.self)
        }
    }

    package struct Response: Sendable {
        package enum Body: Sendable {
            /// With a content length.
            case bytes([UInt8])
            /// Chunked, every element flushed alone; the end of the sequence ends the answer.
            case stream(AsyncStream<[UInt8]>)
            /// Like `stream`, but the connection is then cut without a last chunk.
            case cutStream(AsyncStream<[UInt8]>)
            /// No answer at all: the connection is closed.
            case drop
        }

        package var status: Int
        package var headers: HTTPHeaders
        package var body: Body

        package init(status: Int = 200, headers: HTTPHeaders = [:], body: Body = .bytes([])) {
            self.status = status
            self.headers = headers
            self.body = body
        }

        package static func json(_ value: JSONValue, status: Int = 200, headers: HTTPHeaders = [:]) -> Response {
            var headers = headers
            headers.replaceOrAdd(name: "content-type", value: "application/json")
            return Response(status: status, headers: headers, body: .bytes(value.serialized()))
        }

        package static func text(_ text: String, status: Int = 200, headers: HTTPHeaders = [:]) -> Response {
            Response(status: status, headers: headers, body: .bytes(Array(text.utf8)))
        }

        /// The connection is closed without an answer.
        package static let dropped = Response(body: .drop)

        /// Server-sent events: these blocks, each flushed alone, then the end, or a cut connection.
        package static func events(_ blocks: [String], cut: Bool = false) -> Response {
            let stream = AsyncStream([UInt8].self, bufferingPolicy: .unbounded) { continuation in
                for block in blocks { continuation.yield(Array(block.utf8)) }
                continuation.finish()
            }
            return events(stream, cut: cut)
        }

        /// Server-sent events that the test feeds while the answer runs.
        package static func events(_ stream: AsyncStream<[UInt8]>, cut: Bool = false) -> Response {
            Response(
                headers: ["content-type": "text/event-stream"], body: cut ? .cutStream(stream) : .stream(stream))
        }
    }
}
