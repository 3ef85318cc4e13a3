// Part of Rollcall. SPDX-License-Identifier: Apache-2.0

import EvalProtocol
import NIOCore
import NIOHTTP1
import TraceStore

/// What a call's record tells that is known when the call begins. A class, for it is handed on a dozen times a call.
final class CallContext {
    let account: Account
    /// The one that its path names.
    let rollout: RolloutKey?
    /// The rollout it belongs to; `nil` when it is not to be recorded.
    let metadata: RolloutMetadata?
    let requestID: String
    let target: UpstreamTarget
    let request: ModelRequest?
    let edits: [String]
    /// Microseconds since 1970.
    let startedAt: Int64
    let start: NIODeadline

    init(
        _ accepted: CallRoute.Accepted, rollout: RolloutKey?, metadata: RolloutMetadata?, requestID: String,
        request: ModelRequest?, edits: [String], startedAt: Int64, start: NIODeadline
    ) {
        account = accepted.account
        target = accepted.target
        self.rollout = rollout
        self.metadata = metadata
        self.requestID = requestID
        self.request = request
        self.edits = edits
        self.startedAt = startedAt
        self.start = start
    }

    func microseconds(to time: NIODeadline) -> Int64 { (time - start).nanoseconds / 1000 }
}

@available(*, unavailable)
extension CallContext: Sendable {}
