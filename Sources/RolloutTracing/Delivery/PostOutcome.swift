// Part of Rollcall. SPDX-License-Identifier: Apache-2.0

/// What became of a post.
package enum PostOutcome: Sendable {
    /// A line was taken, by this route.
    case accepted(LogAnswer, route: LogRoute)
    /// A batch was read; one result for each of its lines, in order.
    case results([LineResult])
    /// The gateway answered with an error.
    ///
    /// `isFinal`: it says that a repeat would be answered the same.
    case refused(code: Int, retryAfter: Duration?, reason: String, isFinal: Bool = false)
    /// There was no answer, or none that can be read.
    case failed(reason: String)

    /// What became of a line of a batch.
    package enum LineResult: Sendable {
        case accepted(LogAnswer)
        case refused(code: Int, reason: String, isFinal: Bool = false)
    }
}

/// Whose fault an HTTP status is that is no success.
enum Fault {
    /// The line's: it would be refused again.
    case line
    /// The gateway's state, which can change: a key that is not known yet, overload, a restart.
    case gateway

    /// - Parameter isFinal: The gateway says that a repeat would be answered the same. It says so of a wrong key too,
    ///   which may become a right one; of 429 it is so, the rollout has all the lines it may have.
    init(code: Int, isFinal: Bool) {
        switch code {
        case 400, 413, 422: self = .line
        case 429 where isFinal: self = .line
        default: self = .gateway
        }
    }

    /// Whether nobody should wait for the gateway to change its mind.
    static func isLasting(code: Int) -> Bool { [401, 403, 404, 405].contains(code) }
}
