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

    /// Where in the list the messages stand: without the tools, which are before all of them or after them.
    var messageRange: Range<Int> {
        var start = 0
        while start < parts.count, !parts[start].isMessage { start += 1 }
        var end = parts.count
        while end > start, !parts[end - 1].isMessage { end -= 1 }
        return start..<end
    }

    package var messages: ArraySlice<Part> { parts[messageRange] }

    /// How many messages both begin with.
    func countOfMessages(beginning messages: ArraySlice<RecordedRequest.Part>) -> Int {
        let own = messageRange
        var count = 0
        while count < min(own.count, messages.count),
            parts[own.lowerBound + count].isSame(as: messages[messages.startIndex + count])
        {
            count += 1
        }
        return count
    }

    /// Whether `other` begins with all of this one's messages, and has its tools.
    func isBeginning(of other: Conversation) -> Bool {
        let (own, others) = (messageRange, other.messageRange)
        func isSame(_ count: Int, from start: Int, as otherStart: Int) -> Bool {
            for index in 0..<count where !parts[start + index].isSame(as: other.parts[otherStart + index]) {
                return false
            }
            return true
        }
        return own.count <= others.count && own.lowerBound == others.lowerBound
            && parts.count - own.upperBound == other.parts.count - others.upperBound
            && isSame(own.upperBound, from: 0, as: 0)
            && isSame(parts.count - own.upperBound, from: own.upperBound, as: others.upperBound)
    }
}

extension [Conversation] {
    /// As many conversations of a rollout go on side by side without losing sight of each other.
    package static var maximumConversations: Int { 32 }

    /// Takes in a call, newest last: it takes the place of the one that it continues.
    package mutating func note(_ conversation: Conversation) {
        guard !conversation.parts.isEmpty else { return }
        if let place = place(ofBeginningOf: conversation) {
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

    /// Where the newest one stands that the conversation begins with.
    private func place(ofBeginningOf conversation: Conversation) -> Int? {
        let known = span
        for index in known.indices.reversed() where known[index].isBeginning(of: conversation) { return index }
        return nil
    }

    /// Roughly the memory they hold.
    package var byteCount: Int {
        let known = span
        var bytes = 64
        for index in known.indices {
            bytes += 128 + known[index].parts.count * MemoryLayout<Conversation.Part>.stride
            bytes += known[index].ends.count * MemoryLayout<Conversation.End>.stride
            if let ids = known[index].prompt?.ids { bytes += 4 * ids.count }
        }
        return bytes
    }

    /// The prompt of the call that takes the place of the one it continues, when it has none itself.
    package func prompt(continuedBy conversation: Conversation) -> SharedPrompt.Prompt? {
        let known = span
        guard known.indices.contains(where: { known[$0].prompt != nil }) else { return nil }
        return place(ofBeginningOf: conversation).flatMap { self[$0].prompt }
    }
}
