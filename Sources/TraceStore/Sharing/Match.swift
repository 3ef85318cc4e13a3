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
    /// Whether the request has all of the base's parts, in their order.
    private let sharesAll: Bool

    /// The parts at the beginning that both have.
    var sharedPrefix: Int {
        if case .same(0, let count)? = segments.first { count } else { 0 }
    }

    /// The one that saves most, the newer one of equals; `nil` when nothing is worth a reference.
    static func best(for parts: [RecordedRequest.Part], among conversations: [Conversation]) -> Match? {
        // Looked at where they are: a copy of each would cost more than the comparison.
        let known = conversations.span
        var best: (index: Int, count: Int, bytes: Int)?
        for index in known.indices.reversed() {
            let (count, bytes) = prefix(of: parts, in: known[index])
            if bytes > best?.bytes ?? 0 { best = (index, count, bytes) }
        }
        var match: Match?
        if let best {
            match = Match(prefixOf: parts, in: conversations[best.index], count: best.count, bytes: best.bytes)
        }
        // A conversation that goes on is found without looking parts up.
        let total = parts.reduce(0) { $0 + $1.range.count }
        if let match, match.sharesAll, match.sharedBytes * 2 > total { return match }
        let hashes = PartHashes(parts.lazy.map(\.hash))
        for index in known.indices.reversed() {
            // Most share no more than their beginning, which is seen from here.
            guard known[index].bytes(in: hashes) > match?.sharedBytes ?? 0 else { continue }
            let runs = Match(runsOf: parts, in: conversations[index])
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
        // Tools often stand after the messages.
        let last = base.parts.count - 1
        let sharesTools =
            count <= min(last, parts.count - 1) && !base.parts[last].isMessage
            && base.parts[last].isSame(as: parts[parts.count - 1])
        let new = count..<(sharesTools ? parts.count - 1 : parts.count)
        var segments: [Segment] = []
        if count > 0 { segments.append(.same(start: 0, count: count)) }
        if !new.isEmpty { segments.append(.new(new)) }
        if sharesTools { segments.append(.same(start: last, count: 1)) }
        self.segments = segments
        sharedBytes = sharesTools ? bytes + base.parts[last].length : bytes
        sharesAll = count + (sharesTools ? 1 : 0) == base.parts.count
    }

    /// Runs wherever they stand: for histories that were cut, edited or put in another order.
    private init(runsOf parts: [RecordedRequest.Part], in base: Conversation) {
        var places: [Int: Int] = [:]
        for (place, part) in base.parts.enumerated().reversed() { places[part.hash] = place }
        var segments: [Segment] = []
        var bytes = 0
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
            position += count
            newStart = position
        }
        if newStart < parts.count { segments.append(.new(newStart..<parts.count)) }
        self.base = base
        self.segments = segments
        self.sharedBytes = bytes
        sharesAll = false
    }
}

extension Conversation {
    /// The bytes of the parts whose hashes are among these.
    fileprivate func bytes(in hashes: PartHashes) -> Int {
        parts.reduce(0) { hashes.contains($1.hash) ? $0 + $1.length : $0 }
    }
}
