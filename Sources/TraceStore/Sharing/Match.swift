// Part of Rollcall. SPDX-License-Identifier: Apache-2.0

/// What a request repeats of one earlier call.
struct Match {
    enum Segment {
        /// Parts of the base's list.
        case same(start: Int, count: Int)
        /// The request's own parts.
        case new(Range<Int>)
    }

    let base: Conversation
    let segments: [Segment]
    private let sharedBytes: Int
    private let sharesLast: Bool
    private let isEqual: Bool

    /// The trace that the request continues: one whose last message it repeats.
    var parent: Int64? { isEqual ? base.parent : sharesLast ? base.trace : nil }

    /// How many traces in a row end with the parent.
    var parentTurn: Int {
        isEqual ? base.turn - (base.trace == base.call ? 1 : 0) : sharesLast ? base.turn : 0
    }

    /// The parts at the beginning that both have.
    var sharedPrefix: Int {
        if case .same(0, let count)? = segments.first { count } else { 0 }
    }

    /// The one that saves most, the newer one of equals; `nil` when nothing is worth a reference.
    static func best(for parts: [RecordedRequest.Part], among conversations: [Conversation]) -> Match? {
        var best: (conversation: Conversation, count: Int, bytes: Int)?
        for conversation in conversations.reversed() where !conversation.parts.isEmpty {
            let (count, bytes) = prefix(of: parts, in: conversation)
            if bytes > best?.bytes ?? 0 { best = (conversation, count, bytes) }
        }
        var match = best.map { Match(prefixOf: parts, in: $0.conversation, count: $0.count, bytes: $0.bytes) }
        // A conversation that goes on is found without looking parts up.
        if let match, match.sharesLast { return match }
        let hashes = Set(parts.lazy.map(\.hash))
        for conversation in conversations.reversed() where !conversation.parts.isEmpty {
            // Most share no more than their beginning, which is seen from here.
            guard conversation.bytes(in: hashes) > match?.sharedBytes ?? 0 else { continue }
            let runs = Match(runsOf: parts, in: conversation)
            if runs.sharedBytes > match?.sharedBytes ?? 0 { match = runs }
        }
        return match.flatMap { $0.sharedBytes > 16 ? $0 : nil }
    }

    /// How many parts both begin with, and their bytes.
    private static func prefix(
        of parts: [RecordedRequest.Part], in base: Conversation
    ) -> (count: Int, bytes: Int) {
        var count = 0
        var bytes = 0
        while count < min(parts.count, base.parts.count), base.parts[count].isSame(as: parts[count]) {
            bytes += parts[count].range.count
            count += 1
        }
        return (count, bytes)
    }

    private init(prefixOf parts: [RecordedRequest.Part], in base: Conversation, count: Int, bytes: Int) {
        self.base = base
        segments = count == 0 ? [.new(parts.indices)] : [.same(start: 0, count: count), .new(count..<parts.count)]
        sharedBytes = bytes
        sharesLast = count == base.parts.count
        isEqual = sharesLast && count == parts.count
    }

    /// Runs wherever they stand: for histories that were cut, edited or put in another order.
    private init(runsOf parts: [RecordedRequest.Part], in base: Conversation) {
        var places: [Int: Int] = [:]
        for (place, part) in base.parts.enumerated().reversed() { places[part.hash] = place }
        var segments: [Segment] = []
        var bytes = 0
        var sharesLast = false
        var newStart = 0
        var position = 0
        while position < parts.count {
            guard let start = places[parts[position].hash] else {
                position += 1
                continue
            }
            var count = 0
            while position + count < parts.count, start + count < base.parts.count,
                base.parts[start + count].isSame(as: parts[position + count])
            {
                bytes += parts[position + count].range.count
                count += 1
            }
            guard count > 0 else {
                position += 1
                continue
            }
            if newStart < position { segments.append(.new(newStart..<position)) }
            segments.append(.same(start: start, count: count))
            if start + count == base.parts.count { sharesLast = true }
            position += count
            newStart = position
        }
        if newStart < parts.count { segments.append(.new(newStart..<parts.count)) }
        self.base = base
        self.segments = segments
        self.sharedBytes = bytes
        self.sharesLast = sharesLast
        isEqual = false
    }
}

extension Conversation {
    /// The bytes of the parts whose hashes are among these.
    fileprivate func bytes(in hashes: Set<Int>) -> Int {
        parts.reduce(0) { hashes.contains($1.hash) ? $0 + $1.length : $0 }
    }
}
