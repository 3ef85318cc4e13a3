// Part of Rollcall. SPDX-License-Identifier: Apache-2.0

/// What a list of messages repeats of another, the one of the call that it continues.
struct RepeatedHistory {
    enum Run: Hashable {
        /// Messages of the other list.
        case repeated(start: Int, count: Int)
        /// The list's own.
        case new(Range<Int>)
    }

    private(set) var runs: [Run] = []

    init(of messages: [ArraySlice<UInt8>], in others: [ArraySlice<UInt8>]) {
        var places: [ArraySlice<UInt8>: [Int]] = [:]
        var position = 0
        var newStart = 0
        var next = 0
        while position < messages.count {
            // Where it went on, and else anywhere: the place is looked for once the two differ.
            if next >= others.count || others[next] != messages[position] {
                if places.isEmpty {
                    for (place, other) in others.enumerated() { places[other, default: []].append(place) }
                }
                let found = places[messages[position]] ?? []
                guard let place = found.first(where: { $0 >= next }) ?? found.first else {
                    position += 1
                    continue
                }
                next = place
            }
            let start = next
            if newStart < position { runs.append(.new(newStart..<position)) }
            while position < messages.count, next < others.count, others[next] == messages[position] {
                position += 1
                next += 1
            }
            runs.append(.repeated(start: start, count: next - start))
            newStart = position
        }
        if newStart < messages.count { runs.append(.new(newStart..<messages.count)) }
    }

    /// How many of the messages stand in the other list too.
    var count: Int {
        runs.reduce(0) { if case .repeated(_, let count) = $1 { $0 + count } else { $0 } }
    }
}
