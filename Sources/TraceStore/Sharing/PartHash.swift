// Part of Rollcall. SPDX-License-Identifier: Apache-2.0

/// The hash by which a part of a request is recognised among those of its rollout: 64 bits, good within this process.
///
/// Sixteen bytes are folded by one multiplication of 64 by 64 bits, as wyhash and its kin do it
/// (https://github.com/wangyi-fudan/wyhash): the standard library's hash runs through several times as many
/// instructions, and every byte of every call goes through here. The keys are random, so that nobody can choose two parts
/// with the same hash.
enum PartHash {
    private struct Keys {
        let first = UInt64.random(in: .min ... .max)
        let second = UInt64.random(in: .min ... .max) | 1
        let third = UInt64.random(in: .min ... .max)
    }

    private static let keys = Keys()

    static func hash(_ bytes: UnsafeRawBufferPointer) -> Int {
        let keys = keys
        var state = keys.first
        var place = 0
        while place + 16 <= bytes.count {
            let low = bytes.loadUnaligned(fromByteOffset: place, as: UInt64.self)
            let high = bytes.loadUnaligned(fromByteOffset: place + 8, as: UInt64.self)
            state = folded(low ^ keys.second ^ state, high ^ keys.third)
            place += 16
        }
        var rest: (UInt64, UInt64) = (0, 0)
        withUnsafeMutableBytes(of: &rest) { $0.copyBytes(from: bytes[place...]) }
        state = folded(rest.0 ^ keys.second ^ state, rest.1 ^ keys.third)
        // The length tells zeros at the end from none.
        state = folded(state ^ keys.first, UInt64(bytes.count) ^ keys.second)
        return Int(truncatingIfNeeded: state)
    }

    private static func folded(_ one: UInt64, _ other: UInt64) -> UInt64 {
        let product = one.multipliedFullWidth(by: other)
        return product.high ^ product.low
    }
}
