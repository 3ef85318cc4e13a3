// Part of Rollcall. SPDX-License-Identifier: Apache-2.0

/// A call's list of parts as later calls are compared with it.
package struct Conversation: Sendable, Hashable {
    /// Where a part's bytes stand, and how they are recognised.
    package struct Part: Sendable, Hashable {
        package var hash: Int
        package var length: Int
        /// The call that the bytes stand with, and their place among its own.
        package var origin: Int64
        package var index: Int

        package init(hash: Int, length: Int, origin: Int64, index: Int) {
            self.hash = hash
            self.length = length
            self.origin = origin
            self.index = index
        }

        func isSame(as part: RecordedRequest.Part) -> Bool { hash == part.hash && length == part.range.count }
    }

    package var call: Int64
    /// The scripts between this one and its anchor.
    package var depth: Int
    /// The nearest call at depth 0, this one or one before it, and how many of its parts this list begins with.
    package var anchor: Int64
    package var anchorCount: Int
    /// The trace that the call is, or that it continues when it became none.
    package var trace: Int64?
    /// The trace that the call continues.
    package var parent: Int64?
    /// How many traces in a row, each the parent of the next, end with ``trace``.
    package var turn: Int
    package var parts: [Part]

    package init(
        call: Int64, depth: Int, anchor: Int64, anchorCount: Int, trace: Int64?, parent: Int64?, turn: Int,
        parts: [Part]
    ) {
        self.call = call
        self.depth = depth
        self.anchor = anchor
        self.anchorCount = anchorCount
        self.trace = trace
        self.parent = parent
        self.turn = turn
        self.parts = parts
    }

    /// Whether `other` begins with all of this one's parts.
    func isBeginning(of other: Conversation) -> Bool {
        parts.count <= other.parts.count
            && zip(parts, other.parts).allSatisfy { $0.hash == $1.hash && $0.length == $1.length }
    }
}

extension [Conversation] {
    /// As many conversations of a rollout go on side by side without losing sight of each other.
    package static var maximumConversations: Int { 8 }

    /// Takes in a call, newest last: it takes the place of the one that it continues.
    package mutating func note(_ conversation: Conversation) {
        if let continued = lastIndex(where: { $0.isBeginning(of: conversation) }) { remove(at: continued) }
        append(conversation)
        if count > Self.maximumConversations { removeFirst() }
    }

    /// Roughly the memory they hold.
    package var byteCount: Int { reduce(64) { $0 + 64 + $1.parts.count * MemoryLayout<Conversation.Part>.stride } }
}
