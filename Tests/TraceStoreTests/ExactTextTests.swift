// Part of Rollcall. SPDX-License-Identifier: Apache-2.0

import Testing
import TraceStore

@Suite("TraceStore: exact text")
struct ExactTextTests {
    @Test("texts that only look the same are different")
    func exactness() {
        let (composed, decomposed) = ("caf\u{E9}", "cafe\u{301}")
        #expect(composed == decomposed)
        #expect(ExactText(composed) != ExactText(decomposed))
        #expect(ExactText("") == ExactText(""))
        #expect(ExactText("a") != ExactText(""))
        let account = Account.default
        var seen: Set<RolloutKey> = []
        for name in [composed, decomposed, composed] { seen.insert(RolloutKey(account: account, rolloutID: name)) }
        seen.insert(RolloutKey(account: Account("other"), rolloutID: composed))
        #expect(seen.count == 3)
    }
}
