// Part of Rollcall. SPDX-License-Identifier: Apache-2.0

/// A request as it is stored: the call it repeats, how much of it, and the bytes that are new.
package struct SharedRequest: Sendable {
    /// The call whose list the script copies from; `nil` when it copies from none.
    package var base: Int64?
    package var script = PartScript([])
    package var envelope: [UInt8]
    /// The lengths of the parts in `added`.
    package var lengths: [UInt8]
    package var added: [UInt8]
    /// What the next calls are compared with.
    package var conversation: Conversation

    /// Every so many calls of a conversation one is an anchor: its script is based on the anchor before, so that few
    /// scripts must be read for a call however long the conversation is.
    package static let maximumDepth = 32

    /// Finds what the request repeats of the conversations of its rollout, newest last.
    package init(
        _ request: RecordedRequest, call: Int64, isTrace: Bool, conversations: [Conversation]
    ) {
        let match = Match.best(for: request.parts, among: conversations)
        let base = match?.base
        var parts: [Conversation.Part] = []
        parts.reserveCapacity(request.parts.count)
        lengths = []
        added = []
        var runs: [PartScript.Run] = []
        var addedCount = 0
        for segment in match?.segments ?? [.new(request.parts.indices)] {
            switch segment {
            case .same(let start, let count):
                if let base { parts += base.parts[start..<start + count] }
                runs.append(.copied(start: start, count: count))
            case .new(let indices):
                for index in indices {
                    let part = request.parts[index]
                    VariableInteger.append(part.range.count, to: &lengths)
                    added += request.body[part.range]
                    parts.append(
                        Conversation.Part(
                            hash: part.hash, length: part.range.count, origin: call, index: addedCount))
                    addedCount += 1
                }
                if !indices.isEmpty { runs.append(.added(count: indices.count)) }
            }
        }
        envelope = RequestEnvelope.encoded(request)
        let parent = match?.parent
        let parentTurn = match?.parentTurn ?? 0
        conversation = Conversation(
            call: call, depth: 0, anchor: call, anchorCount: parts.count, trace: isTrace ? call : parent,
            parent: parent, turn: isTrace ? parentTurn + 1 : parentTurn, parts: parts)
        if let base, let match {
            let anchorCount = min(base.anchorCount, match.sharedPrefix)
            if base.depth + 1 < Self.maximumDepth {
                self.base = base.call
                conversation.depth = base.depth + 1
                conversation.anchor = base.anchor
                conversation.anchorCount = anchorCount
            } else {
                self.base = anchorCount > 0 ? base.anchor : nil
                runs = anchorCount > 0 ? [.copied(start: 0, count: anchorCount)] : []
                runs += Self.runs(of: parts[anchorCount...], in: call)
            }
        }
        script = PartScript(runs)
    }

    /// The list without a base: where each part stands.
    private static func runs(of parts: ArraySlice<Conversation.Part>, in call: Int64) -> [PartScript.Run] {
        var runs: [PartScript.Run] = []
        var start = parts.startIndex
        while start < parts.endIndex {
            let first = parts[start]
            var end = start + 1
            while end < parts.endIndex, parts[end].origin == first.origin, parts[end].index == first.index + end - start
            {
                end += 1
            }
            runs.append(
                first.origin == call
                    ? .added(count: end - start)
                    : .origin(call: first.origin, start: first.index, count: end - start))
            start = end
        }
        return runs
    }
}
