// Part of Rollcall. SPDX-License-Identifier: Apache-2.0

package import NIOHTTP1

/// The head of an upstream's answer.
package struct ResponseHead: Sendable, Equatable {
    package var status: Int
    package var reason: String
    package var headers: HTTPHeaders
    package var framing: Framing
    /// Whether the connection can be used again once the body has ended.
    package var keepsAlive: Bool

    package init(status: Int, reason: String, headers: HTTPHeaders, framing: Framing, keepsAlive: Bool) {
        self.status = status
        self.reason = reason
        self.headers = headers
        self.framing = framing
        self.keepsAlive = keepsAlive
    }

    /// How the end of the body is known.
    package enum Framing: Sendable, Hashable {
        /// There is no body, whatever the headers say.
        case none
        case length(Int)
        case chunked
        /// The body ends with the connection.
        case untilClose
    }
}

/// An answer that is not HTTP/1.1, or is so in a way that two readers could understand differently.
package struct FramingError: Error, Sendable, Hashable, CustomStringConvertible {
    package let description: String

    init(_ description: String) { self.description = description }
}
