// Part of Rollcall. SPDX-License-Identifier: Apache-2.0

import Synchronization

/// Something that closures change.
final class Mutexed<Value: Sendable>: Sendable {
    private let content: Mutex<Value>

    init(_ value: Value) { content = Mutex(value) }

    var value: Value { content.withLock { $0 } }

    func change(_ body: (inout Value) -> Void) { content.withLock { body(&$0) } }

    func append<Element: Sendable>(_ element: Element) where Value == [Element] {
        content.withLock { $0.append(element) }
    }
}
