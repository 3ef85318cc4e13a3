// Part of Rollcall. SPDX-License-Identifier: Apache-2.0

import Synchronization

/// Something that a closure hands out.
final class Kept<Value: Sendable>: Sendable {
    private let content = Mutex<Value?>(nil)

    var value: Value? {
        get { content.withLock { $0 } }
        set { content.withLock { $0 = newValue } }
    }
}
