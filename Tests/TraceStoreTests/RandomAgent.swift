// Part of Rollcall. SPDX-License-Identifier: Apache-2.0

import TestSupport

/// The calls of a rollout as agents make them: conversations that go on, are tried again, branch, slide, are edited and
/// summarised, several at once. It knows what each call continues and what is new in it.
struct RandomAgent {
    /// A request body in its pieces, which later ones share.
    struct Request {
        var head = ""
        var messages: [String] = []
        var gap = ""
        var tail = ""

        var body: [UInt8] { Array((head + messages.joined(separator: gap) + tail).utf8) }
    }

    struct Call {
        var request: Request
        var isTrace: Bool
        /// The place among the rollout's calls of the one it continues.
        var parent: Int?
        /// How many bytes of messages and tools none of what it goes on from has; `nil` where that cannot be known,
        /// since it has not been heard of for long.
        var newBytes: Int?
        /// What was done, for the message of a failure.
        var kind: String
        var tags: [String] = []
    }

    /// A conversation.
    private struct Line {
        var system: String
        var messages: [String] = []
        var tools = 0
        /// The request that went out last, what it continued and whether it became a trace.
        var last: Call?
        var place = -1
        /// The traces it has come through from the beginning, without cuts: how many messages each had.
        var ends: [(count: Int, place: Int)] = []
        /// The newest of them, through cuts too.
        var trace: Int?
        let style: Int
        /// Another one has come from it or it from another, and their next calls continue the same.
        var isShared = false
    }

    private let name: String
    private var random: SeededGenerator
    private var lines: [Line] = []
    private var count = 0
    private var serial = 0

    init(_ name: String, seed: UInt64) {
        self.name = name
        random = SeededGenerator(seed: seed)
    }

    /// For so many calls a store remembers every conversation, and for so many one that two go on from, in other ways
    /// than by more messages perhaps.
    private static let memory = 15
    private static let sharedMemory = 8
    private static let longest = 60
    private static let mostLines = 10

    /// The next calls; they may be made at the same time.
    mutating func next() -> [Call] {
        lines.removeAll { $0.messages.count > Self.longest }
        while lines.count > Self.mostLines { lines.remove(at: Int.random(in: lines.indices, using: &random)) }
        if lines.isEmpty || chance(20) { return [begin()] }
        let place = Int.random(in: lines.indices, using: &random)
        switch Int.random(in: 0..<20, using: &random) {
        case 0 where lines[place].last != nil: return [again(place)]
        case 1: return [branch(place)]
        case 2: return parallel(place)
        case 3: return [slide(place)]
        case 4: return [edit(place)]
        case 5: return [compact(place)]
        case 6: return [odd()]
        case 7:
            lines[place].tools = Int.random(in: 0..<5, using: &random)
            return [turn(place, "other tools")]
        default: return [turn(place, "turn")]
        }
    }

    // MARK: What agents do

    private mutating func begin() -> Call {
        let system = message("system", padding: Int.random(in: 0...400, using: &random))
        lines.append(
            Line(
                system: system, messages: [system], tools: Int.random(in: 0..<5, using: &random),
                style: Int.random(in: 0..<4, using: &random)))
        return turn(lines.count - 1, "beginning")
    }

    /// The conversation goes on by what is new.
    private mutating func turn(_ place: Int, _ kind: String, cut: Bool = false) -> Call {
        for _ in 0..<Int.random(in: 0...2, using: &random) { lines[place].messages.append(oddMessage()) }
        // Unlike all others, so that what goes on from here can be told.
        lines[place].messages.append(message("user", padding: padding()))
        return send(place, kind, parent: lines[place].trace, cut: cut)
    }

    private mutating func again(_ place: Int) -> Call {
        var call = lines[place].last ?? begin()
        call.kind = "again"
        call.newBytes = isFresh(place) ? 0 : nil
        call.isTrace = !chance(10)
        call.tags = []
        lines[place].last = call
        lines[place].place = count
        // A failed one is no trace; the one before it may have been.
        if call.isTrace { note(place) }
        count += 1
        return call
    }

    /// Back to an earlier trace and on from there.
    private mutating func branch(_ place: Int) -> Call {
        lines[place].isShared = true
        var line = lines[place]
        guard let end = line.ends.randomElement(using: &random) else { return turn(place, "turn") }
        line.messages = Array(line.messages.prefix(end.count))
        line.ends.removeAll { $0.count > end.count }
        line.trace = end.place
        lines.append(line)
        return turn(lines.count - 1, "branch")
    }

    /// The same history asked to go on several ways at once.
    private mutating func parallel(_ place: Int) -> [Call] {
        lines[place].isShared = true
        let line = lines[place]
        var calls: [Call] = []
        for _ in 0..<Int.random(in: 2...4, using: &random) {
            lines.append(line)
            calls.append(turn(lines.count - 1, "parallel"))
        }
        return calls
    }

    private mutating func slide(_ place: Int) -> Call {
        let messages = lines[place].messages
        guard messages.count > 4, lines[place].last?.isTrace == true else { return turn(place, "turn") }
        let dropped = Int.random(in: 1...messages.count - 3, using: &random)
        lines[place].messages.removeSubrange(1..<1 + dropped)
        return turn(place, "sliding window", cut: true)
    }

    private mutating func edit(_ place: Int) -> Call {
        let messages = lines[place].messages
        guard messages.count > 3, lines[place].last?.isTrace == true else { return turn(place, "turn") }
        lines[place].messages[Int.random(in: 1..<messages.count - 1, using: &random)] = message("tool", padding: 0)
        return turn(place, "edited history", cut: true)
    }

    private mutating func compact(_ place: Int) -> Call {
        lines[place].messages = [lines[place].system, message("user", padding: 200)]
        lines[place].trace = nil
        lines[place].ends = []
        return turn(place, "summary")
    }

    /// Bodies without a conversation in them.
    private mutating func odd() -> Call {
        serial += 1
        let bodies = [
            "{}", "{\"messages\":[]}", " {\"messages\" : [ ] , \"n\":1e400}\n", "{\"messages\":{\"role\":\"user\"}}",
            "{\"messages\":null,\"serial\":\(serial)}", "{\"model\":\"m\",\"messages\":[[],[1],\"text\",7,null]}",
            "{\"messages\":[{\"serial\":\(serial)}],\"messages\":[]}",
            "{\"tools\":[\(String(repeating: "{},", count: 40))1]}",
        ]
        let body = bodies.randomElement(using: &random) ?? "{}"
        count += 1
        return Call(
            request: Request(head: body), isTrace: true, parent: nil, newBytes: body.utf8.count, kind: "odd body")
    }

    // MARK: Requests

    private mutating func send(_ place: Int, _ kind: String, parent: Int?, cut: Bool) -> Call {
        let line = lines[place]
        let request = Self.request(line)
        var newBytes: Int?
        if line.last == nil || isFresh(place) {
            // Whichever call the store compares with has these tools, or they are new again.
            var bytes = Self.tools[line.tools].utf8.count
            var before: [String: Int] = [:]
            for message in line.last?.request.messages ?? [] { before[message, default: 0] += 1 }
            for message in request.messages {
                before[message, default: 0] -= 1
                if before[message, default: 0] < 0 { bytes += message.utf8.count }
            }
            newBytes = bytes
        }
        var call = Call(request: request, isTrace: !chance(12), parent: parent, newBytes: newBytes, kind: kind)
        if chance(8) { call.tags = ["step:\(count)"] }
        lines[place].last = call
        lines[place].place = count
        lines[place].isShared = false
        if cut { lines[place].ends.removeAll() }
        if call.isTrace { note(place) }
        count += 1
        return call
    }

    /// The line's newest call is a trace.
    private mutating func note(_ place: Int) {
        lines[place].trace = count
        let messages = lines[place].messages.count
        lines[place].ends.removeAll { $0.count >= messages }
        lines[place].ends.append((messages, count))
    }

    private func isFresh(_ place: Int) -> Bool {
        count - lines[place].place < (lines[place].isShared ? Self.sharedMemory : Self.memory)
    }

    private static let tools = (0..<5).map { number in
        number == 0
            ? ""
            : "["
                + (0..<number * 4).map { #"{"type":"function","function":{"name":"tool_\#($0)_\#(number)"}}"# }
                .joined(separator: ",") + "]"
    }

    private static func request(_ line: Line) -> Request {
        let tools = tools[line.tools]
        switch line.style {
        case 0:
            return Request(
                head: #"{"model":"m","messages":["#, messages: line.messages, gap: ",",
                tail: "]\(tools.isEmpty ? "" : ",\"tools\":\(tools)"),\"stream\":false}")
        case 1:
            return Request(
                head: #"{\#(tools.isEmpty ? "" : "\"tools\": \(tools), ")"messages": ["#, messages: line.messages,
                gap: ", ", tail: #"], "model": "m"}"#)
        case 2:
            return Request(
                head: "{\n\t\"messages\" :\r\n [\n  ", messages: line.messages, gap: "\n , \n  ",
                tail: "\n ] ,\n\"tools\": \(tools.isEmpty ? "null" : tools)}\n")
        default:
            return Request(
                head: #"{"messages":[{"role":"user"}],"seed":123456789012345678901234567890.10e-7,"messages":["#,
                messages: line.messages, gap: ",", tail: #"],"tools":[],"metadata":{"\ud800":[]}}"#)
        }
    }

    // MARK: Messages

    private mutating func padding() -> Int {
        chance(250)
            ? 200_000 : chance(6) ? Int.random(in: 0...4000, using: &random) : Int.random(in: 0...200, using: &random)
    }

    private mutating func message(_ role: String, padding: Int) -> String {
        serial += 1
        return #"{"role":"\#(role)","content":"\#(name) \#(serial) \#(String(repeating: "é", count: padding / 2))"}"#
    }

    private mutating func oddMessage() -> String {
        let odd = [
            "{}", #"{"role":"user","content":""}"#, #"{"role":"user","content":"continue"}"#,
            #"{"role":"user","content":"continue"}"#, #"{"role":"assistant","content":null,"tool_calls":[]}"#,
            #"{"content":"a","content":"b","content":"a"}"#, #"{"role":"tool","content":"\ud83d lone \udc00"}"#,
            "{ \"role\" :\t\"user\",\n\"n\": -0.0E+00 , \"big\":99999999999999999999999999 }",
            #"{"role":"user","content":[{"type":"text","text":"\u0000\u0001"},[[[[]]]],{}]}"#,
        ]
        if chance(3) { return odd.randomElement(using: &random) ?? "{}" }
        return message("assistant", padding: padding())
    }

    private mutating func chance(_ oneIn: Int) -> Bool { Int.random(in: 0..<oneIn, using: &random) == 0 }
}
