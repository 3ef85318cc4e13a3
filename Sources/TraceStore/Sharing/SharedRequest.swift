// Part of Rollcall. SPDX-License-Identifier: Apache-2.0

/// A request as it is stored: the call it repeats, how much of it, and the bytes that are new.
package struct SharedRequest: Sendable {
    /// The call whose list the script copies from; `nil` when it copies from none.
    package var base: Int64?
    package var script: PartScript
    package var envelope: [UInt8]
    /// The lengths of the parts in `added`.
    package var lengths: [UInt8]
    package var added: [UInt8]
    /// What the next calls are compared with.
    package var conversation: Conversation

    /// So many scripts are read one after another at most to read a call.
    package static let maximumDepth = 64

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
        var depth = 0
        if let base {
            if base.depth + 1 < Self.maximumDepth {
                self.base = base.call
                depth = base.depth + 1
            } else {
                runs = Self.runs(of: parts, in: call)
            }
        }
        script = PartScript(runs)
        let parent = match?.parent
        conversation = Conversation(
            call: call, depth: depth, trace: isTrace ? call : parent, parent: parent, parts: parts)
    }

    /// The list without a base: where each part stands.
    private static func runs(of parts: [Conversation.Part], in call: Int64) -> [PartScript.Run] {
        var runs: [PartScript.Run] = []
        var start = 0
        while start < parts.count {
            let first = parts[start]
            var end = start + 1
            while end < parts.count, parts[end].origin == first.origin, parts[end].index == first.index + end - start {
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
