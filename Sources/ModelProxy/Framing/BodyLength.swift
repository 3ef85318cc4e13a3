// Part of Rollcall. SPDX-License-Identifier: Apache-2.0

/// How the end of a message's body is known.
package enum BodyLength: Sendable, Hashable {
    /// There is no body, whatever the head says.
    case none
    case length(Int)
    case chunked
    /// The body ends with the connection.
    case untilClose
}
