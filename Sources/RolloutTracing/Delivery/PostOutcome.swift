// Part of Rollcall. SPDX-License-Identifier: Apache-2.0

/// What became of a post.
package enum PostOutcome: Sendable {
    /// A line was taken, by this route.
    case accepted(LogAnswer, route: LogRoute)
    /// A batch was read; one result for each of its lines, in order.
    case results([LineResult])
    /// The gateway answered with an error.
    case refused(code: Int, retryAfter: Duration?, reason: String)
    /// There was no answer, or none that can be read.
    case failed(reason: String)

    /// What became of a line of a batch.
    package enum LineResult: Sendable {
        case accepted(LogAnswer)
        case refused(code: Int, reason: String)
    }
}

/// Whose fault an HTTP status is that is no success.
enum Fault {
    /// The line's: it would be refused again.
    case line
    /// The gateway's state, which can change: a key that is not known yet, overload, a restart.
    case gateway

    init(code: Int) {
        switch code {
        case 400, 413, 422: self = .line
        default: self = .gateway
        }
    }

    /// Whether nobody should wait for the gateway to change its mind.
    static func isLasting(code: Int) -> Bool { [401, 403, 404, 405].contains(code) }
}
