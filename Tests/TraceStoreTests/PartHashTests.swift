// Part of Rollcall. SPDX-License-Identifier: Apache-2.0

import Testing
import TraceStore

@Suite("TraceStore: hashes of parts")
struct PartHashTests {
    private static func hash(_ bytes: [UInt8]) -> Int { RecordedRequest.hash(bytes[...]) }

    @Test("equal bytes have equal hashes, wherever they stand") func same() {
        for count in 0..<70 {
            let bytes = (0..<count).map { UInt8($0) }
            for before in 0..<9 {
                let longer = [UInt8](repeating: 0xAA, count: before) + bytes + [0xBB]
                #expect(RecordedRequest.hash(longer[before..<before + count]) == Self.hash(bytes))
            }
        }
    }

    @Test("no length, no bit and no order goes unseen") func different() {
        var hashes: Set<Int> = []
        var count = 0
        // Of zeros only the length tells.
        for length in 0..<200 {
            hashes.insert(Self.hash([UInt8](repeating: 0, count: length)))
            count += 1
        }
        for length in [1, 7, 8, 15, 16, 17, 33, 100] {
            let bytes = (0..<length).map { UInt8(truncatingIfNeeded: $0 &* 7 &+ 3) }
            hashes.insert(Self.hash(bytes))
            count += 1
            for bit in 0..<length * 8 {
                var changed = bytes
                changed[bit / 8] ^= 1 << UInt8(bit % 8)
                hashes.insert(Self.hash(changed))
                count += 1
            }
        }
        let halves = (Array("the first sixteen".utf8.prefix(16)), Array("and the others..".utf8))
        for bytes in [halves.0 + halves.1, halves.1 + halves.0] {
            hashes.insert(Self.hash(bytes))
            count += 1
        }
        #expect(hashes.count == count)
    }
}
