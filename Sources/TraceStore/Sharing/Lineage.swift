// Part of Rollcall. SPDX-License-Identifier: Apache-2.0

/// Which trace a request continues, told by its messages alone.
///
/// It is the one with the most messages of which all are the request's first ones; or, where another conversation has
/// more in common with it, as histories do that were cut or edited, one whose last message the request repeats and goes
/// on from. A request that says the same as another continues what that one did. All others begin a branch.
struct Lineage {
    let parent: Int64?
    /// How many traces in a row, each the parent of the next, end with the parent.
    let parentTurn: Int
    /// The traces whose messages the request begins with.
    let ends: [Conversation.End]

    private init(parent: Int64?, turn: Int, ends: ArraySlice<Conversation.End>) {
        self.parent = parent
        parentTurn = turn
        self.ends = Array(ends)
    }

    init(of request: RecordedRequest, among conversations: [Conversation]) {
        let messages = request.messages
        guard !messages.isEmpty else {
            self.init(parent: nil, turn: 0, ends: [])
            return
        }
        var whole: Candidate?
        var inside: Candidate?
        let known = conversations.span
        for index in known.indices.reversed() {
            let shared = known[index].countOfMessages(beginning: messages)
            guard shared > 0 else { continue }
            let conversation = conversations[index]
            let ends = conversation.ends.prefix { $0.count <= shared && $0.count < messages.count }
            if shared == conversation.messageRange.count {
                if shared == messages.count {
                    let own = conversation.trace == conversation.call ? 1 : 0
                    self.init(parent: conversation.parent, turn: conversation.turn - own, ends: ends)
                    return
                }
                if let trace = conversation.trace {
                    let candidate = Candidate(trace: trace, turn: conversation.turn, ends: ends, count: shared)
                    whole = Candidate.better(candidate, whole)
                }
            } else if let end = ends.last {
                let candidate = Candidate(trace: end.trace, turn: end.turn, ends: ends, count: end.count)
                inside = Candidate.better(candidate, inside)
            }
        }
        let cut = Self.goingOn(with: messages, after: whole?.count ?? 0, among: conversations)
        let beginning = Candidate.better(whole, inside)
        let best = cut?.count ?? 0 > beginning?.count ?? 0 ? cut : beginning
        self.init(parent: best?.trace, turn: best?.turn ?? 0, ends: best?.ends ?? [])
    }

    private struct Candidate {
        let trace: Int64
        let turn: Int
        let ends: ArraySlice<Conversation.End>
        /// How many of its messages the request has.
        let count: Int

        /// The one with more messages; of equals the newer trace, for a repetition that failed names one before.
        static func better(_ one: Candidate?, _ other: Candidate?) -> Candidate? {
            guard let one, let other else { return one ?? other }
            return (one.count, one.trace) >= (other.count, other.trace) ? one : other
        }
    }

    /// What goes on from the last message of a trace whose conversation was cut or edited, and how many of its messages
    /// it repeats; of several the one with the most.
    ///
    /// - Parameter count: So many messages are those of a conversation that the request has as a whole.
    private static func goingOn(
        with messages: ArraySlice<RecordedRequest.Part>, after count: Int, among conversations: [Conversation]
    ) -> Candidate? {
        // A conversation that goes on leaves one or two to be looked up.
        let lasts = PartHashes(messages.dropFirst(count).dropLast().lazy.map(\.hash))
        guard !lasts.isEmpty else { return nil }
        var best: (index: Int, trace: Int64, turn: Int, count: Int)?
        let known = conversations.span
        for index in known.indices.reversed() {
            guard let end = known[index].end(amongLasts: lasts) else { continue }
            let repeated = Self.common(conversations[index].messages.prefix(end.count), messages.dropLast())
            if repeated > best?.count ?? 0 { best = (index, end.trace, end.turn, repeated) }
        }
        guard let best else { return nil }
        let conversation = conversations[best.index]
        let shared = conversation.countOfMessages(beginning: messages)
        return Candidate(
            trace: best.trace, turn: best.turn, ends: conversation.ends.prefix { $0.count <= shared }, count: best.count
        )
    }

    /// How many messages both have, each as often as it stands in either.
    private static func common(
        _ known: ArraySlice<Conversation.Part>, _ messages: ArraySlice<RecordedRequest.Part>
    ) -> Int {
        var left: [Int: Int] = [:]
        for message in messages { left[message.hash, default: 0] += 1 }
        return known.reduce(0) { count, message in
            guard let times = left[message.hash], times > 0 else { return count }
            left[message.hash] = times - 1
            return count + 1
        }
    }
}

extension Conversation {
    /// The end of its newest trace whose last message is among these.
    fileprivate func end(amongLasts lasts: PartHashes) -> End? {
        let messages = messageRange
        if let trace, !messages.isEmpty, lasts.contains(parts[messages.upperBound - 1].hash) {
            return End(count: messages.count, trace: trace, turn: turn)
        }
        return ends.last { lasts.contains(parts[messages.lowerBound + $0.count - 1].hash) }
    }
}

extension RecordedRequest {
    /// Without the tools, which stand before all messages or after them.
    package var messages: ArraySlice<Part> {
        guard let first = parts.firstIndex(where: \.isMessage), let last = parts.lastIndex(where: \.isMessage) else {
            return []
        }
        return parts[first...last]
    }
}
