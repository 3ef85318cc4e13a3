// Part of Rollcall. SPDX-License-Identifier: Apache-2.0

import Testing
import TraceStore

@Suite("TraceStore: shared values")
struct SharedTests {
    @Test("a copy that is changed leaves the others as they are") func copies() {
        let first = Shared([1, 2])
        var second = first
        second.value.append(3)
        let third = second
        second.value.append(4)
        #expect(first.value == [1, 2])
        #expect(third.value == [1, 2, 3])
        #expect(second.value == [1, 2, 3, 4])
    }

    @Test("values count, not who shares them") func equality() {
        let first = Shared("a")
        #expect(first == Shared("a") && first != Shared("b"))
        #expect(Set([first, first, Shared("a"), Shared("b")]).count == 2)
    }
}
