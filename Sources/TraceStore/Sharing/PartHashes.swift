// Part of Rollcall. SPDX-License-Identifier: Apache-2.0

/// The hashes of some parts, to be looked for in other requests. Most requests have few parts that are new, and a few
/// numbers are found sooner in a list than in a set.
struct PartHashes {
    private var list: [Int] = []
    private var set: Set<Int> = []

    private static let longestList = 8

    init(_ hashes: some Sequence<Int>) {
        for hash in hashes {
            if list.count < Self.longestList { list.append(hash) } else { set.insert(hash) }
        }
    }

    var isEmpty: Bool { list.isEmpty }

    func contains(_ hash: Int) -> Bool { list.contains(hash) || (!set.isEmpty && set.contains(hash)) }
}
