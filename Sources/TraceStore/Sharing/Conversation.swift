// Part of Rollcall. SPDX-License-Identifier: Apache-2.0

/// A call's list of parts as later calls are compared with it.
package struct Conversation: Sendable, Hashable {
    /// Where a part's bytes stand, and how they are recognised.
    package struct Part: Sendable, Hashable {
        package var hash: Int
        package var length: Int
        /// The call that the bytes stand with, and their place among its own.
        package var origin: Int64
        package var index: Int32
        package var isMessage: Bool

        package init(hash: Int, length: Int, origin: Int64, index: Int, isMessage: Bool) {
            self.hash = hash
            self.length = length
            self.origin = origin
            self.index = Int32(index)
            self.isMessage = isMessage
        }

        package init(_ bytes: ArraySlice<UInt8>, origin: Int64, index: Int) {
            self.init(
                hash: RecordedRequest.hash(bytes), length: bytes.count, origin: origin, index: index,
                isMessage: RecordedRequest.isMessage(bytes))
        }

        func isSame(as part: RecordedRequest.Part) -> Bool { hash == part.hash && length == part.range.count }

        func isSame(as part: Part) -> Bool { hash == part.hash && length == part.length }
    }

    /// Where the messages of a trace end that the conversation has come through.
    package struct End: Sendable, Hashable {
        /// How many of the list's messages are the trace's.
        package var count: Int
        package var trace: Int64
        /// How many traces in a row, each the parent of the next, end with it.
        package var turn: Int

        package init(count: Int, trace: Int64, turn: Int) {
            self.count = count
            self.trace = trace
            self.turn = turn
        }
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
    /// The traces whose messages this one begins with, itself among them, in their order.
    package var ends: [End]
    /// The token ids of its prompt, or of that of a call that it continues.
    package var prompt: SharedPrompt.Prompt?

    package init(
        call: Int64, depth: Int, anchor: Int64, anchorCount: Int, trace: Int64?, parent: Int64?, turn: Int,
        parts: [Part], ends: [End], prompt: SharedPrompt.Prompt? = nil
    ) {
        self.call = call
        self.depth = depth
        self.anchor = anchor
        self.anchorCount = anchorCount
        self.trace = trace
        self.parent = parent
        self.turn = turn
        self.parts = parts
        self.ends = ends
        self.prompt = prompt
    }

    /// Without the tools, which stand before all messages or after them.
    package var messages: ArraySlice<Part> {
        guard let first = parts.firstIndex(where: \.isMessage), let last = parts.lastIndex(where: \.isMessage) else {
            return []
        }
        return parts[first...last]
    }

    /// Whether `other` begins with all of this one's messages, and has its tools.
    func isBeginning(of other: Conversation) -> Bool {
        let (messages, others) = (messages, other.messages)
        return messages.count <= others.count && parts.count - messages.count == other.parts.count - others.count
            && zip(messages, others).allSatisfy { $0.isSame(as: $1) }
            && zip(parts[..<messages.startIndex], other.parts[..<others.startIndex]).allSatisfy { $0.isSame(as: $1) }
            && zip(parts[messages.endIndex...], other.parts[others.endIndex...]).allSatisfy { $0.isSame(as: $1) }
    }
}

extension [Conversation] {
    /// As many conversations of a rollout go on side by side without losing sight of each other.
    package static var maximumConversations: Int { 32 }

    /// Takes in a call, newest last: it takes the place of the one that it continues.
    package mutating func note(_ conversation: Conversation) {
        guard !conversation.parts.isEmpty else { return }
        if let place = lastIndex(where: { $0.isBeginning(of: conversation) }) {
            let continued = remove(at: place)
            // A repetition that failed is no trace; what it repeats still is.
            if conversation.trace != conversation.call, continued.parts.count == conversation.parts.count {
                append(continued)
                return
            }
        }
        append(conversation)
        guard count > Self.maximumConversations else { return }
        // Of the older ones one that has gone on with another history, as a sliding window does, is missed least: the
        // others wait.
        let parents = Set(compactMap(\.parent))
        let older = self[..<(Self.maximumConversations / 2)]
        let left = older.firstIndex { conversation in conversation.trace.map { parents.contains($0) } ?? false }
        remove(at: left ?? startIndex)
    }

    /// Roughly the memory they hold.
    package var byteCount: Int {
        reduce(64) { bytes, conversation in
            bytes + 128 + conversation.parts.count * MemoryLayout<Conversation.Part>.stride
                + conversation.ends.count * MemoryLayout<Conversation.End>.stride
                + 4 * (conversation.prompt?.ids.count ?? 0)
        }
    }

    /// The prompt of the call that takes the place of the one it continues, when it has none itself.
    package func prompt(continuedBy conversation: Conversation) -> SharedPrompt.Prompt? {
        guard contains(where: { $0.prompt != nil }) else { return nil }
        return last { $0.isBeginning(of: conversation) }?.prompt
    }
}
