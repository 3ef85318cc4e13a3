// Part of Rollcall. SPDX-License-Identifier: Apache-2.0

import EvalProtocol
import WireJSON

/// What became of an `/init`.
enum InitOutcome: Sendable {
    /// The execution is under way; another `/init` had begun it if this one has joined.
    case accepted(RolloutRegistry.Key, joined: Bool, RolloutRun?)
    case ended(RolloutRegistry.Key, Status)
    case refused(InitAnswer)

    var answer: InitAnswer {
        switch self {
        case .accepted(let key, let joined, _): .accepted(key, joined: joined)
        case .ended(let key, let status): .ended(key, status)
        case .refused(let answer): answer
        }
    }
}
