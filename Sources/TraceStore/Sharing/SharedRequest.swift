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
        let elsewhere = Self.parts(of: request, in: conversations, notIn: match)
        let segments = match?.segments ?? [.new(request.parts.indices)]
        var runs: [PartScript.Run] = []
        runs.reserveCapacity(segments.count + 1)
        added.reserveCapacity(request.bytes(in: segments))
        var addedCount = 0
        for segment in segments {
            switch segment {
            case .same(let start, let count):
                if let base { parts += base.parts[start..<start + count] }
                runs.append(.copied(start: start, count: count))
            case .new(let indices):
                let first = parts.count
                for index in indices {
                    let part = request.parts[index]
                    if let known = elsewhere[part.hash], known.isSame(as: part) {
                        parts.append(known)
                        continue
                    }
                    VariableInteger.append(part.range.count, to: &lengths)
                    added += request.body[part.range]
                    parts.append(
                        Conversation.Part(
                            hash: part.hash, length: part.range.count, origin: call, index: addedCount,
                            isMessage: part.isMessage))
                    addedCount += 1
                }
                runs += Self.runs(of: parts[first...], in: call)
            }
        }
        envelope = RequestEnvelope.encoded(request)
        let lineage = Lineage(of: request, among: conversations)
        conversation = Conversation(
            call: call, depth: 0, anchor: call, anchorCount: parts.count, trace: isTrace ? call : lineage.parent,
            parent: lineage.parent, turn: lineage.parentTurn + (isTrace ? 1 : 0), parts: parts, ends: lineage.ends)
        let count = conversation.messages.count
        if isTrace, count > 0 {
            conversation.ends.append(Conversation.End(count: count, trace: call, turn: conversation.turn))
        }
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

    /// Parts that are worth looking for in other conversations than the one that the request repeats most of.
    private static let minimumPart = 64

    /// Where large parts that the match lacks stand already: tools that come back, what a sub-agent was told.
    private static func parts(
        of request: RecordedRequest, in conversations: [Conversation], notIn match: Match?
    ) -> [Int: Conversation.Part] {
        guard let match, conversations.count > 1 else { return [:] }
        let wanted = PartHashes(
            match.segments.lazy.flatMap { segment in
                guard case .new(let indices) = segment else { return request.parts[0..<0] }
                return request.parts[indices]
            }.filter { $0.range.count >= minimumPart }.map(\.hash))
        var found: [Int: Conversation.Part] = [:]
        guard !wanted.isEmpty else { return found }
        let known = conversations.span
        for index in known.indices where known[index].call != match.base.call {
            for part in known[index].parts where part.length >= minimumPart && wanted.contains(part.hash) {
                found[part.hash] = part
            }
        }
        return found
    }

    /// The list without a base: where each part stands.
    private static func runs(of parts: ArraySlice<Conversation.Part>, in call: Int64) -> [PartScript.Run] {
        var runs: [PartScript.Run] = []
        var start = parts.startIndex
        while start < parts.endIndex {
            let first = parts[start]
            var end = start + 1
            while end < parts.endIndex, parts[end].origin == first.origin,
                parts[end].index == first.index + Int32(end - start)
            {
                end += 1
            }
            runs.append(
                first.origin == call
                    ? .added(count: end - start)
                    : .origin(call: first.origin, start: Int(first.index), count: end - start))
            start = end
        }
        return runs
    }
}

extension RecordedRequest {
    /// The bytes of the parts that are new.
    fileprivate func bytes(in segments: [Match.Segment]) -> Int {
        segments.reduce(0) { total, segment in
            guard case .new(let indices) = segment else { return total }
            return parts[indices].reduce(total) { $0 + $1.range.count }
        }
    }
}
