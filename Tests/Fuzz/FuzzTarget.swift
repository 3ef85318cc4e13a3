// Part of Rollcall. SPDX-License-Identifier: Apache-2.0

import Foundation

/// Parsers under random bytes, and what must hold whatever the bytes are.
protocol FuzzTarget: SendableMetatype {
    static var name: String { get }
    /// Inputs to begin with, from which others are made.
    static var seeds: [[UInt8]] { get }
    /// Ends the process when something does not hold; libFuzzer then keeps the input.
    static func run(_ input: [UInt8])
}

enum FuzzTargets {
    static let all: [any FuzzTarget.Type] = [
        JSONFuzz.self, FieldsFuzz.self, PathFuzz.self, EventsFuzz.self, PayloadsFuzz.self, AnswersFuzz.self,
        RequestsFuzz.self, EditsFuzz.self, ConfigurationFuzz.self, SharingFuzz.self, DamageFuzz.self, TimesFuzz.self,
        VocabularyFuzz.self,
    ]

    /// The one that `FUZZ_TARGET` names.
    static let chosen = all.first { $0.name == ProcessInfo.processInfo.environment["FUZZ_TARGET"] }
}

/// Ends the process unless the condition holds.
func require(_ condition: Bool, _ rule: String) {
    if !condition { fatalError("does not hold: \(rule)") }
}

extension [UInt8] {
    /// The bytes cut into pieces of 1 to 32, always at the same places.
    var pieces: [[UInt8]] {
        var pieces: [[UInt8]] = []
        var state = UInt64(count)
        var start = 0
        while start < count {
            state = (state ^ UInt64(self[start])) &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
            let end = Swift.min(count, start + 1 + Int(state >> 59))
            pieces.append(Array(self[start..<end]))
            start = end
        }
        return pieces
    }

    /// Each byte alone.
    var singles: [[UInt8]] { map { [$0] } }
}
