// Part of Rollcall. SPDX-License-Identifier: Apache-2.0

import TraceStore
import WireJSON

/// Requests of conversations that grow, branch, are cut and edited come back byte for byte.
///
/// An input is a list of steps: two bytes say what is done to which conversation, and one more what is added.
enum SharingFuzz: FuzzTarget {
    static let name = "sharing"

    static let seeds: [[UInt8]] = [
        (0..<60).flatMap { [UInt8(5), 0, $0] }, (0..<40).flatMap { [$0 % 9, $0 / 3, $0] },
        [5, 0, 1, 5, 0, 2, 0, 0, 3, 1, 0, 0, 2, 0, 9, 5, 1, 4, 3, 1, 0, 4, 1, 0, 6, 0, 0, 7, 0, 0, 8, 1, 0, 5, 1, 8],
    ]

    static func run(_ input: [UInt8]) {
        var store = Store()
        var histories: [[UInt8]] = [[]]
        for start in stride(from: 0, to: min(input.count - 2, 240), by: 3) {
            let (step, place, added) = (input[start], Int(input[start + 1]) % histories.count, input[start + 2])
            var messages = histories[place]
            switch step % 9 {
            case 0 where !messages.isEmpty: messages[Int(added) % messages.count] = added
            case 1: messages.removeFirst(min(messages.count, 2))
            case 2: messages = Array(messages.prefix(Int(added)))
            case 3: messages += messages.suffix(2)
            case 4: messages.reverse()
            case 6: store.forget()
            case 7: if histories.count < 12 { histories.append(messages) }
            default: messages.append(added)
            }
            histories[place] = messages
            store.record(body(messages, style: step / 9), isTrace: step < 200)
        }
        store.check()
    }

    private static func body(_ messages: [UInt8], style: UInt8) -> [UInt8] {
        let texts = messages.map { message in
            #"{"role":"user","content":"\#(String(repeating: "é", count: Int(message % 40)))\#(message)"}"#
        }
        let tools = style & 1 == 1 ? #""tools":[\#(String(repeating: "{},", count: 30)){}],"# : ""
        let comma = style & 2 == 2 ? " ,\n" : ","
        return Array("{\(tools)\"messages\":[\(texts.joined(separator: comma))],\"n\":\(style / 4)}".utf8)
    }
}

/// A store in memory, which puts requests together as that on disk does.
private struct Store {
    private struct Call {
        var shared: SharedRequest
        var body: [UInt8]
    }

    private var calls: [Int64: Call] = [:]
    private var conversations: [Conversation] = []
    private var next: Int64 = 1_000_000

    mutating func record(_ body: [UInt8], isTrace: Bool) {
        guard let fields = try? JSONFields(of: body.span) else { fatalError("the body is no JSON") }
        next += 500
        let request = RecordedRequest(body: body, fields: fields)
        let shared = SharedRequest(request, call: next, isTrace: isTrace, conversations: conversations)
        require(shared.conversation.depth < SharedRequest.maximumDepth, "chains are bounded")
        let before = shared.conversation.parent.flatMap { calls[$0]?.shared.conversation.turn } ?? 0
        require(shared.conversation.turn == before + (isTrace ? 1 : 0), "a turn is counted on from its parent's")
        calls[next] = Call(shared: shared, body: body)
        conversations.note(shared.conversation)
        require(conversations.count <= [Conversation].maximumConversations, "conversations are bounded")
    }

    /// What memory knows is made anew from what is stored.
    mutating func forget() {
        conversations = conversations.map { conversation in
            guard let parts = parts(of: conversation.call) else { fatalError("a conversation is lost") }
            let chain = chain(of: conversation.call)
            let anchor = chain.firstIndex { calls[$0]?.shared.conversation.depth == 0 } ?? 0
            let anchorPlaces = RequestAssembly.places(of: links(chain[anchor...])) ?? []
            var again = conversation
            again.anchor = chain[anchor]
            again.anchorCount = zip(parts.map(\.place), anchorPlaces).prefix { $0 == $1 }.count
            again.parts = parts.map { place, bytes in
                Conversation.Part(bytes, origin: place.call, index: place.index)
            }
            return again
        }
    }

    func check() {
        for (id, call) in calls {
            let parts = parts(of: id)?.map(\.bytes)
            require(
                parts.flatMap { RequestEnvelope.body(from: call.shared.envelope, parts: $0) } == call.body,
                "a request comes back byte for byte")
            let script = call.shared.script
            require(PartScript(decoding: script.encoded(for: id), for: id) == script, "a script is kept")
        }
    }

    private func parts(of id: Int64) -> [(place: RequestAssembly.Place, bytes: ArraySlice<UInt8>)]? {
        guard let places = RequestAssembly.places(of: links(chain(of: id)[...])) else { return nil }
        var parts: [(RequestAssembly.Place, ArraySlice<UInt8>)] = []
        for place in places {
            guard let origin = calls[place.call]?.shared,
                let own = RequestAssembly.parts(origin.added, lengths: origin.lengths),
                own.indices.contains(place.index)
            else { return nil }
            parts.append((place, own[place.index]))
        }
        return parts
    }

    private func chain(of id: Int64) -> [Int64] {
        var chain = [id]
        while let last = chain.last, let base = calls[last]?.shared.base { chain.append(base) }
        return chain
    }

    private func links(_ chain: ArraySlice<Int64>) -> [RequestAssembly.Link] {
        chain.map { RequestAssembly.Link(call: $0, script: calls[$0]?.shared.script.encoded(for: $0) ?? []) }
    }
}
