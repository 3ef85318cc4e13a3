// Part of Rollcall. SPDX-License-Identifier: Apache-2.0

import TraceStore

/// What a damaged store may hold is refused, at no more cost than what a sound one holds.
///
/// The lines of an input are two scripts, the lengths of parts, and an envelope.
enum DamageFuzz: FuzzTarget {
    static let name = "damage"

    static let seeds: [[UInt8]] = {
        let call: Int64 = 1 << 50
        let base = PartScript([.added(count: 3), .origin(call: call - 900, start: 2, count: 2)])
        let script = PartScript([.copied(start: 1, count: 3), .added(count: 1)])
        let envelope: [UInt8] = [1, 1, 0x5B, 3, 1, 0x2C, 1, 1, 0x5D]
        return [
            [script.encoded(for: call), base.encoded(for: call), [3, 4], envelope].reduce([]) { $0 + $1 + [separator] }
        ]
    }()

    private static let separator: UInt8 = 0xFE

    static func run(_ input: [UInt8]) {
        let lines = input.split(separator: separator, maxSplits: 3, omittingEmptySubsequences: false).map { Array($0) }
        guard lines.count == 4 else { return }
        let call: Int64 = 1 << 50
        for line in lines {
            guard let script = PartScript(decoding: line, for: call) else { continue }
            require(PartScript(decoding: script.encoded(for: call), for: call) == script, "a script is kept")
        }
        let links = [
            RequestAssembly.Link(call: call, script: lines[0]),
            RequestAssembly.Link(call: call - 500, script: lines[1]),
        ]
        let places = RequestAssembly.places(of: links) ?? []
        require(places.count <= RecordedRequest.maximumParts, "a request has no more parts than can be stored")
        let parts = RequestAssembly.parts(Array("1234567".utf8), lengths: lines[2]) ?? []
        require(parts.isEmpty || parts.joined().elementsEqual("1234567".utf8), "parts are all of the bytes")
        if let body = RequestEnvelope.body(from: lines[3], parts: parts) {
            require(body.count <= 7 + lines[3].count * (parts.count + 1), "a body is made of what is stored")
        }
    }
}
