// Part of Rollcall. SPDX-License-Identifier: Apache-2.0

/// Puts requests together again from what is stored of them and of the calls they repeat.
package struct RequestAssembly {
    /// Where a part's bytes stand: with a call, and its place there.
    package struct Place: Sendable, Hashable {
        package var call: Int64
        package var index: Int

        package init(call: Int64, index: Int) {
            self.call = call
            self.index = index
        }
    }

    /// A call and the calls it is based on, the call itself first.
    package struct Link: Sendable {
        package var call: Int64
        package var script: [UInt8]

        package init(call: Int64, script: [UInt8]) {
            self.call = call
            self.script = script
        }
    }

    /// The places of the first link's parts; `nil` when the scripts do not fit each other.
    package static func places(of chain: [Link]) -> [Place]? {
        var base: [Place] = []
        for link in chain.reversed() {
            guard let script = PartScript(decoding: link.script, for: link.call),
                let places = places(of: script, in: link.call, base: base)
            else { return nil }
            base = places
        }
        return base
    }

    /// The places of a call's parts; `nil` when the script does not fit its base's.
    package static func places(of script: PartScript, in call: Int64, base: [Place]) -> [Place]? {
        var places: [Place] = []
        var added = 0
        for run in script.runs {
            // A damaged script may ask for any number.
            guard run.count <= RecordedRequest.maximumParts - places.count else { return nil }
            switch run {
            case .copied(let start, let count):
                guard start <= base.count - count else { return nil }
                places += base[start..<start + count]
            case .added(let count):
                for index in added..<added + count { places.append(Place(call: call, index: index)) }
                added += count
            case .origin(let origin, let start, let count):
                guard start <= Int.max - count else { return nil }
                for index in start..<start + count { places.append(Place(call: origin, index: index)) }
            }
        }
        return places
    }

    /// A call's own parts; `nil` when the lengths are not those of the bytes.
    package static func parts(_ added: [UInt8], lengths: [UInt8]) -> [ArraySlice<UInt8>]? {
        var reader = VariableIntegerReader(lengths)
        var parts: [ArraySlice<UInt8>] = []
        var start = 0
        while !reader.isAtEnd {
            guard let length = reader.next(), length <= added.count - start else { return nil }
            parts.append(added[start..<start + length])
            start += length
        }
        return start == added.count ? parts : nil
    }
}
