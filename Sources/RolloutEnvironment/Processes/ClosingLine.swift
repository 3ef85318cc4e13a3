// Part of Rollcall. SPDX-License-Identifier: Apache-2.0

import EvalProtocol
import Synchronization

/// Keeps what a rollout's process has said along with its last status, until that is reported.
final class ClosingLine: Sendable {
    private let closing = Mutex<Closing?>(nil)

    func keep(_ closing: Closing?) { self.closing.withLock { $0 = closing } }

    /// What belongs to `status`; nothing, when the rollout ended in another way after all.
    func matching(_ status: Status) -> Closing? {
        closing.withLock { $0.flatMap { $0.status.code == status.code ? $0 : nil } }
    }
}
