// Part of Rollcall. SPDX-License-Identifier: Apache-2.0

/// A process as `/proc` shows it.
package struct ProcessEntry: Sendable, Hashable {
    package var identifier: Int32
    package var parent: Int32
    package var session: Int32
    /// Dead, and not yet waited for by its parent.
    package var isZombie: Bool
    /// In clock ticks since the system's start. Together with the identifier it names a process for good.
    package var started: UInt64
    /// What it has used of the processors, in clock ticks.
    package var ticks: UInt64
    /// The value of the marker variable it was started with.
    package var marker: String?

    /// Reads `/proc/PID/stat`: the name in parentheses may hold anything, spaces and parentheses included.
    package init?(stat: some RandomAccessCollection<UInt8>) {
        guard let close = stat.lastIndex(of: UInt8(ascii: ")")), let identifier = Self.number(stat, at: stat.startIndex)
        else { return nil }
        var place = stat.index(after: close)
        // What follows the name is the third field, as the manual counts.
        var field = 2
        var state: UInt8?
        var values: (parent: UInt64, session: UInt64, user: UInt64, system: UInt64, started: UInt64) = (0, 0, 0, 0, 0)
        while field < 22 {
            guard let space = stat[place...].firstIndex(of: UInt8(ascii: " ")) else { return nil }
            place = stat.index(after: space)
            field += 1
            guard place < stat.endIndex else { return nil }
            switch field {
            case 3: state = stat[place]
            case 4: values.parent = Self.number(stat, at: place) ?? 0
            case 6: values.session = Self.number(stat, at: place) ?? 0
            case 14: values.user = Self.number(stat, at: place) ?? 0
            case 15: values.system = Self.number(stat, at: place) ?? 0
            case 22: values.started = Self.number(stat, at: place) ?? 0
            default: break
            }
        }
        self.identifier = Int32(truncatingIfNeeded: identifier)
        parent = Int32(truncatingIfNeeded: values.parent)
        session = Int32(truncatingIfNeeded: values.session)
        isZombie = state == UInt8(ascii: "Z") || state == UInt8(ascii: "X")
        started = values.started
        ticks = values.user &+ values.system
    }

    /// The digits that begin at `place`.
    private static func number<Text: RandomAccessCollection<UInt8>>(_ text: Text, at place: Text.Index) -> UInt64? {
        var value: UInt64?
        for byte in text[place...] {
            guard byte >= UInt8(ascii: "0"), byte <= UInt8(ascii: "9") else { break }
            value = (value ?? 0) &* 10 &+ UInt64(byte - UInt8(ascii: "0"))
        }
        return value
    }

    package init(
        identifier: Int32, parent: Int32, session: Int32, isZombie: Bool = false, started: UInt64 = 0,
        marker: String? = nil
    ) {
        self.identifier = identifier
        self.parent = parent
        self.session = session
        self.isZombie = isZombie
        self.started = started
        ticks = 0
        self.marker = marker
    }

    /// The value of `name` in `/proc/PID/environ`.
    package static func value(of name: String, in environ: [UInt8]) -> String? {
        let beginning = Array("\(name)=".utf8)
        for variable in environ.split(separator: 0) where variable.starts(with: beginning) {
            return String(decoding: variable.dropFirst(beginning.count), as: UTF8.self)
        }
        return nil
    }
}

extension [ProcessEntry] {
    /// The live processes of the rollout whose command is, or was, the process `leader`: those of its session, those
    /// that carry its marker, and the descendants of either.
    ///
    /// A session alone would lose daemons, and descent alone those whose parent has ended. The marker is inherited by
    /// whatever a process starts, whichever session it is in and whoever its parent has become. What is lost is a
    /// daemon that has emptied its environment, has left the session, and whose parents are gone.
    package func family(of leader: Int32, marker: String, self own: Int32) -> [ProcessEntry] {
        family(self: own) { $0.identifier == leader || $0.session == leader || $0.marker == marker }
    }

    /// The live processes of the commands that a process before this one has left behind, known by the command's process or
    /// by marker, and their descendants.
    package func family(of left: [JournaledCommand], self own: Int32) -> [ProcessEntry] {
        let markers = Set(left.map(\.marker))
        let processes = Dictionary(
            left.compactMap(\.process).map { ($0.identifier, $0) }, uniquingKeysWith: { $1 })
        return family(self: own) { entry in
            processes[entry.identifier]?.isSame(as: entry) == true || entry.marker.map(markers.contains) == true
        }
    }

    private func family(self own: Int32, _ isRoot: (ProcessEntry) -> Bool) -> [ProcessEntry] {
        var found: Set<Int32> = []
        for entry in self where entry.identifier != own && isRoot(entry) { found.insert(entry.identifier) }
        if found.isEmpty { return [] }
        var children: [Int32: [Int32]] = [:]
        for entry in self { children[entry.parent, default: []].append(entry.identifier) }
        var unvisited = Array<Int32>(found)
        while let identifier = unvisited.popLast() {
            for child in children[identifier] ?? [] where child != own && found.insert(child).inserted {
                unvisited.append(child)
            }
        }
        return filter { found.contains($0.identifier) && !$0.isZombie }
    }
}
