// Part of Rollcall. SPDX-License-Identifier: Apache-2.0

/// The token ids of a prompt as they are stored: how many of an earlier call's it begins with, and the rest.
package struct SharedPrompt: Sendable {
    /// A prompt as later ones are compared with it.
    package struct Prompt: Sendable, Hashable {
        /// The call that it is stored with.
        package var call: Int64
        package var ids: [Int32]

        package init(call: Int64, ids: [Int32]) {
            self.call = call
            self.ids = ids
        }
    }

    /// A call's prompt, and after it those that it begins with.
    package struct Link: Sendable {
        package var shared: Int
        package var added: [UInt8]

        package init(shared: Int, added: [UInt8]) {
            self.shared = shared
            self.added = added
        }
    }

    package let prompt: Prompt
    package private(set) var base: Int64?
    package private(set) var shared = 0
    package private(set) var added: [UInt8]

    /// Fewer ids are not worth a reference.
    private static let minimumShared = 8

    /// - Returns: `nil` without ids.
    package init?(_ ids: [Int32], call: Int64, conversations: [Conversation]) {
        guard !ids.isEmpty else { return nil }
        prompt = Prompt(call: call, ids: ids)
        for earlier in conversations.reversed().compactMap(\.prompt) {
            let count = Self.common(earlier.ids, ids)
            if count >= Self.minimumShared, count > shared { (base, shared) = (earlier.call, count) }
        }
        added = []
        added.reserveCapacity(3 * (ids.count - shared))
        for id in ids[shared...] { VariableInteger.append(Int(id), to: &added) }
    }

    private static func common(_ left: [Int32], _ right: [Int32]) -> Int {
        var count = 0
        while count < left.count, count < right.count, left[count] == right[count] { count += 1 }
        return count
    }

    /// The ids of the first link; `nil` when the links do not fit each other.
    package static func ids(of chain: [Link]) -> [Int32]? {
        var ids: [Int32] = []
        for link in chain.reversed() {
            guard link.shared >= 0, link.shared <= ids.count else { return nil }
            ids.removeSubrange(link.shared...)
            var reader = VariableIntegerReader(link.added)
            while !reader.isAtEnd {
                guard let id = reader.next().flatMap({ Int32(exactly: $0) }) else { return nil }
                ids.append(id)
            }
        }
        return ids
    }
}
