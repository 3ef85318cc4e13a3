// Part of Rollcall. SPDX-License-Identifier: Apache-2.0

import Testing
import TraceStore

@Suite("TraceStore: bounded cache")
struct BoundedCacheTests {
    @Test("forgets what was not used for longest")
    func order() {
        var cache = BoundedCache<String, Int>(maximumCount: 2)
        cache.set(1, for: "a")
        cache.set(2, for: "b")
        #expect(cache.value(for: "a") == 1)
        cache.set(3, for: "c")
        #expect(cache.value(for: "b") == nil)
        #expect(cache.value(for: "a") == 1)
        #expect(cache.value(for: "c") == 3)
    }

    @Test("keeps to its cost, and the newest whatever it costs")
    func cost() {
        var cache = BoundedCache<Int, Int>(maximumCount: 100, maximumCost: 10)
        for key in 0..<5 { cache.set(key, for: key, cost: 4) }
        #expect(cache.count == 2)
        #expect(cache.cost == 8)
        cache.set(9, for: 9, cost: 50)
        #expect(cache.count == 1)
        #expect(cache.value(for: 9) == 9)
        cache.set(1, for: 1, cost: 1)
        #expect(cache.cost == 1)
    }

    @Test("agrees with a plain list of what was used last")
    func random() {
        let seed = UInt64.random(in: 0 ... .max)
        print("seed \(seed)")
        var random = Seeded(seed)
        var cache = BoundedCache<Int, Int>(maximumCount: 8)
        var list: [(key: Int, value: Int)] = []
        for step in 0..<5_000 {
            let key = Int.random(in: 0..<16, using: &random)
            let place = list.firstIndex { $0.key == key }
            switch Int.random(in: 0..<5, using: &random) {
            case 0:
                cache.remove(key)
                if let place { list.remove(at: place) }
            case 1, 2:
                cache.set(step, for: key)
                if let place { list.remove(at: place) }
                list.append((key, step))
                if list.count > 8 { list.removeFirst() }
            default:
                #expect(cache.value(for: key) == place.map { list[$0].value })
                if let place { list.append(list.remove(at: place)) }
            }
            #expect(cache.count == list.count)
        }
    }
}
