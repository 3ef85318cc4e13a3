// Part of Rollcall. SPDX-License-Identifier: Apache-2.0

import EvalProtocol
import SQLiteTraceStore
import Testing
import TraceStore

@Suite("TraceStore: sharing of conversations")
struct SharingTests {
    private static func body(_ messages: [String], tools: String? = nil) -> String {
        let tools = tools.map { #","tools": \#($0)"# } ?? ""
        return #"{"model":"m","messages":[\#(messages.joined(separator: ", "))]\#(tools),"stream":false}"#
    }

    private static func message(_ role: String, _ text: String) -> String {
        #"{"role":"\#(role)","content":"\#(text)"}"#
    }

    @Test("scripts survive their encoding")
    func script() {
        let script = PartScript([
            .copied(start: 0, count: 199), .added(count: 2), .origin(call: 1_700_000_000_000_000, start: 3, count: 400),
        ])
        let bytes = script.encoded(for: 1_700_000_000_005_000)
        #expect(PartScript(decoding: bytes, for: 1_700_000_000_005_000) == script)
        #expect(bytes.count < 16)
        #expect(PartScript(decoding: [0x80], for: 1) == nil)
        #expect(PartScript(decoding: [3, 3], for: 1) == nil)
    }

    @Test("an envelope keeps equal gaps once, and bodies without parts whole")
    func envelope() throws {
        for body in [
            Self.body(
                (0..<100).map { Self.message("user", "\($0)") }, tools: "[" + String(repeating: "1,", count: 60) + "1]"),
            "{}", #"{"messages":[]}"#, #"{ "messages" : [ {} , {},{}] }"#, "not JSON", "",
        ] {
            let request = Samples.request(body)
            let envelope = RequestEnvelope.encoded(request)
            let parts = request.parts.map { request.body[$0.range] }
            #expect(RequestEnvelope.body(from: envelope, parts: parts) == request.body)
            if parts.count > 1 { #expect(RequestEnvelope.body(from: envelope, parts: parts.dropLast()) == nil) }
            if parts.count == 101 { #expect(envelope.count < 80) }
        }
    }

    @Test("a damaged script or envelope is refused, whatever numbers it holds")
    func damage() {
        let most = Int.max >> 2
        let scripts: [[PartScript.Run]] = [
            [.added(count: most)], [.origin(call: 1, start: 0, count: most)], [.origin(call: 1, start: .max, count: 2)],
            [.copied(start: .max, count: 1)], [.copied(start: 0, count: 4)], [.copied(start: 4, count: 0)],
            [.added(count: 1), .added(count: RecordedRequest.maximumParts)],
        ]
        let base = RequestAssembly.Link(call: 1, script: PartScript([.added(count: 3)]).encoded(for: 1))
        for runs in scripts {
            let link = RequestAssembly.Link(call: 9, script: PartScript(runs).encoded(for: 9))
            #expect(RequestAssembly.places(of: [link, base]) == nil, "\(runs)")
        }
        var envelope: [UInt8] = []
        VariableInteger.append(.max, to: &envelope)
        envelope += [1, UInt8(ascii: ",")]
        #expect(RequestEnvelope.body(from: envelope, parts: []) == nil)
        envelope[envelope.count - 2] = 0
        #expect(RequestEnvelope.body(from: envelope.dropLast(), parts: []) == nil)
    }

    @Test("a turn costs what it adds, at turn 200 as at turn 10")
    func flat() {
        var conversations: [Conversation] = []
        var messages = [Self.message("system", String(repeating: "s", count: 500))]
        var costs: [Int] = []
        for turn in 0..<200 {
            messages.append(Self.message("user", "question \(1000 + turn) " + String(repeating: "q", count: 100)))
            let shared = SharedRequest(
                Samples.request(Self.body(messages)), call: 1_000_000 + Int64(turn) * 500, isTrace: true,
                conversations: conversations)
            conversations.note(shared.conversation)
            costs.append(
                shared.envelope.count + shared.added.count + shared.lengths.count
                    + shared.script.encoded(for: shared.conversation.call).count)
            messages.append(Self.message("assistant", "answer \(1000 + turn) " + String(repeating: "a", count: 100)))
        }
        #expect(conversations.count == 1)
        let early = costs[9..<41].reduce(0, +)
        let late = costs[168..<200].reduce(0, +)
        #expect(Double(late) < Double(early) * 1.05)
        // An anchor costs a little more, not the conversation again.
        #expect((costs[9...].max() ?? 0) < costs[9] * 2)
    }

    @Test("a prompt's token ids cost what a turn adds, and come back, at turn 200 as at turn 10")
    func promptTokens() {
        var conversations: [Conversation] = []
        var messages: [String] = []
        var prompt: [Int32] = []
        var links: [Int64: (base: Int64?, link: SharedPrompt.Link)] = [:]
        var costs: [Int] = []
        for turn in 0..<200 {
            messages.append(Self.message("user", "question \(1000 + turn)"))
            prompt += (0..<50).map { Int32(turn * 97 + $0 * 31) }
            let call = Int64(turn + 1)
            // Now and then a call fails and has none: the next one goes on from before.
            let ids = turn % 7 == 3 ? [] : prompt
            var shared = SharedRequest(
                Samples.request(Self.body(messages)), call: call, isTrace: !ids.isEmpty, conversations: conversations)
            let stored = SharedPrompt(ids, call: call, conversations: conversations)
            shared.conversation.prompt = stored?.prompt ?? conversations.prompt(continuedBy: shared.conversation)
            conversations.note(shared.conversation)
            guard let stored else { continue }
            links[call] = (stored.base, .init(shared: stored.shared, added: stored.added))
            costs.append(stored.added.count)
            var chain: [SharedPrompt.Link] = []
            var next: Int64? = call
            while let link = next.flatMap({ links[$0] }) {
                chain.append(link.link)
                next = link.base
            }
            #expect(SharedPrompt.ids(of: chain) == prompt)
        }
        #expect((costs.max() ?? 0) <= 2 * 50 * 3)
        #expect(SharedPrompt.ids(of: [.init(shared: 1, added: [])]) == nil)
        #expect(SharedPrompt.ids(of: [.init(shared: 0, added: [0x80])]) == nil)
    }

    @Test("tells what continues what")
    func parents() {
        let system = Self.message("system", "you are a helpful assistant")
        let question = Self.message("user", "what is the answer to everything?")
        let answer = Self.message("assistant", "forty-two, as far as I know")
        let more = Self.message("user", "and what was the question again?")
        var conversations: [Conversation] = []
        func record(_ call: Int64, _ messages: [String], isTrace: Bool = true) -> SharedRequest {
            let shared = SharedRequest(
                Samples.request(Self.body(messages)), call: call, isTrace: isTrace, conversations: conversations)
            conversations.note(shared.conversation)
            return shared
        }
        #expect(record(1, [system, question]).conversation.parent == nil)
        // A failed call is none's parent; the one it continued is.
        #expect(record(2, [system, question, answer, more], isTrace: false).conversation.parent == 1)
        let again = record(3, [system, question, answer, more])
        #expect(again.conversation.parent == 1)
        #expect(again.added.isEmpty)
        #expect(again.base == 2)
        // Another conversation under the same system prompt shares bytes and has no parent.
        let other = record(4, [system, Self.message("user", "something else altogether, please")])
        #expect(other.conversation.parent == nil)
        #expect(other.base != nil)
        // A sliding window goes on.
        #expect(record(5, [system, answer, more, answer, question]).conversation.parent == 3)
        // Nothing in common: no base.
        #expect(record(6, [Self.message("user", "hello there")]).base == nil)
    }

    @Test("tools are no message, wherever they stand, and are stored once though they change and come back")
    func tools() {
        let system = Self.message("system", "you are a helpful assistant")
        let question = Self.message("user", "what is the answer to everything?")
        let answer = Self.message("assistant", "forty-two, as far as I know")
        let more = Self.message("user", "and what was the question again?")
        let (one, two) = ("[\(String(repeating: "1,", count: 500))1]", "[\(String(repeating: "2,", count: 500))2]")
        var conversations: [Conversation] = []
        var call: Int64 = 0
        func record(_ messages: [String], _ tools: String) -> SharedRequest {
            call += 1
            let shared = SharedRequest(
                Samples.request(Self.body(messages, tools: tools)), call: call, isTrace: true,
                conversations: conversations)
            conversations.note(shared.conversation)
            return shared
        }
        #expect(record([system, question], one).conversation.parent == nil)
        let second = record([system, question, answer, more], one)
        #expect(second.conversation.parent == 1)
        #expect(second.added.count == answer.utf8.count + more.utf8.count)
        #expect(conversations.count == 1)
        // The same tools make no family.
        #expect(record([system, Self.message("user", "something else, please")], one).conversation.parent == nil)
        let (answers, asks) = (Self.message("assistant", "you asked for all"), Self.message("user", "did I, really?"))
        let fourth = record([system, question, answer, more, answers, asks], two)
        #expect(fourth.conversation.parent == 2)
        #expect(fourth.added.count == answers.utf8.count + asks.utf8.count + two.utf8.count)
        // Back to an earlier turn, and to the tools it had.
        let fifth = record([system, question, Self.message("assistant", "no idea, I am afraid")], one)
        #expect(fifth.conversation.parent == 1)
        #expect(fifth.added.count < 100)
    }

    @Test("random conversations come back byte for byte", arguments: 0..<4)
    func random(_ number: Int) async throws {
        let seed = UInt64.random(in: 0 ... .max)
        print("seed \(seed)")
        var random = Seeded(seed)
        let folder = try Folder()
        var store = try SQLiteTraceStore(path: folder.file("s"))
        var histories: [[String]] = [[]]
        var expected: [Int64: [UInt8]] = [:]
        var counter = 0
        for round in 0..<150 {
            var batch: [StoreRecord] = []
            var bodies: [[UInt8]] = []
            for _ in 0..<Int.random(in: 1...4, using: &random) {
                let place = Int.random(in: 0..<histories.count, using: &random)
                var messages = histories[place]
                switch Int.random(in: 0..<12, using: &random) {
                case 0 where !messages.isEmpty:  // edited
                    messages[Int.random(in: 0..<messages.count, using: &random)] = Self.message(
                        "user", "edit \(counter)")
                case 1 where messages.count > 3:  // sliding window
                    messages.removeFirst(Int.random(in: 1..<3, using: &random))
                case 2:  // a branch, or a parallel conversation
                    messages = Array(messages.prefix(Int.random(in: 0...messages.count, using: &random)))
                    histories.append(messages)
                case 3:  // the same again
                    break
                case 4:  // repeated messages
                    messages += messages.suffix(2)
                case 5:  // another order
                    messages.shuffle(using: &random)
                default: break
                }
                for _ in 0..<Int.random(in: 0...3, using: &random) {
                    counter += 1
                    let length = Int.random(in: 0...60, using: &random)
                    messages.append(Self.message("user", "\(counter)é" + String(repeating: "x", count: length)))
                }
                histories[min(place, histories.count - 1)] = messages
                let tools = Bool.random(using: &random) ? "[" + String(repeating: "{},", count: 30) + "{}]" : nil
                var call = Samples.call("r", body: Self.body(messages, tools: tools))
                if Int.random(in: 0..<6, using: &random) == 0 { call.state = .failed }
                batch.append(.call(call))
                bodies.append(call.request.body)
            }
            for (outcome, body) in zip(try store.apply(batch).outcomes, bodies) {
                expected[try Samples.receipt(outcome).id] = body
            }
            if round == 70 {  // what memory knew is forgotten
                try store.close()
                store = try SQLiteTraceStore(path: folder.file("s"))
            }
        }
        for (id, body) in expected {
            let stored = try #require(try await store.call(id, account: .default))
            #expect(stored.record.request.body == body)
        }
        try store.close()
    }
}
