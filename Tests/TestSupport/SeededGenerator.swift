// Part of Rollcall. SPDX-License-Identifier: Apache-2.0

import Foundation

/// A random generator that repeats itself for the same seed (SplitMix64).
package struct SeededGenerator: RandomNumberGenerator {
    private var state: UInt64

    package init(seed: UInt64) { state = seed }

    /// A generator with a seed of its own, which is printed, or with the one in `ROLLCALL_TEST_SEED`.
    package static func printingSeed(_ test: String = #function) -> SeededGenerator {
        let given = ProcessInfo.processInfo.environment["ROLLCALL_TEST_SEED"].flatMap { UInt64($0) }
        let seed = given ?? UInt64.random(in: 0...UInt64(UInt32.max))
        print("\(test): ROLLCALL_TEST_SEED=\(seed)")
        return SeededGenerator(seed: seed)
    }

    package mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var value = state
        value = (value ^ value >> 30) &* 0xBF58_476D_1CE4_E5B9
        value = (value ^ value >> 27) &* 0x94D0_49BB_1331_11EB
        return value ^ value >> 31
    }
}
