// Part of Rollcall. SPDX-License-Identifier: Apache-2.0

public import EvalProtocol
public import WireJSON

/// The recorded model calls of a rollout as the trees that they are: a conversation that goes on is a line of calls,
/// and it branches where an agent tried something else, called a sub-agent with its history, or asked several times.
///
/// A call's `parent` is the one whose conversation it continues. A history that was cut or edited still continues, as
/// long as it has the parent's last message and something after it; one that was replaced begins a tree of its own.
public struct RolloutConversation: Sendable, Hashable {
    /// A model call: what it adds to the call that it continues, and the answer.
    public struct Call: Sendable, Hashable, Identifiable {
        public var id: String
        /// The call that it continues; `nil` at the beginning of a conversation.
        public var parent: String?
        /// How many calls stand before it, up to the beginning.
        public var depth: Int
        /// From 1 on. A call's first child goes on with its branch, each other one begins one.
        public var branch: Int
        public var attempt: AttemptID?
        /// The messages of the request that its parent did not have, as they were sent.
        public var newMessages: [JSONValue]
        /// How many of the request's messages its parent had.
        public var repeated: Int
        /// The tools that the request offered; `nil` when they are its parent's, or there are none.
        public var tools: [JSONValue]?
        public var answer: Message?
        public var finishReason: String?
        public var usage: Usage?
        /// The whole request as it was sent, if it was asked for.
        public var request: String?
        /// The call as it came.
        public var raw: JSONValue

        fileprivate enum Run: Hashable {
            case repeated(Range<Int>)
            case new(Int)
        }

        /// How the request's messages are put together.
        fileprivate var runs: [Run]
        fileprivate var messageCount: Int
    }

    /// Each after its parent, and with all that comes of it before the next of its siblings.
    public let calls: [Call]

    private let places: [String: Int]
    private let childPlaces: [String: [Int]]

    /// Reads an answer, a line a call.
    ///
    /// - Throws: ``JSONDecodingError`` or `JSONError` when a line is no call, or repeats what is not there.
    init(lines: some Collection<UInt8>) throws {
        var calls: [Call] = []
        var places: [String: Int] = [:]
        var children: [String: [Int]] = [:]
        for line in lines.split(separator: UInt8(ascii: "\n")) {
            let reader = JSONReader(try JSONValue(parsing: Array(line)))
            let call = try Call(reader)
            let parent = try call.parent.map { id in
                guard let place = places[id] else { throw reader["parent"].error(expected: "a call before this one") }
                return calls[place]
            }
            guard call.fits(parent) else { throw reader["history"].error(expected: "messages of the parent") }
            if let parent = call.parent { children[parent, default: []].append(calls.count) }
            places[call.id] = calls.count
            calls.append(call)
        }
        self.calls = calls
        self.places = places
        childPlaces = children
    }

    /// The calls that begin a conversation, in the order they were made.
    public var roots: [Call] { calls.filter { $0.parent == nil } }

    /// The calls that continue this one, in the order they were made.
    public func children(of call: Call) -> [Call] { childPlaces[call.id, default: []].map { calls[$0] } }

    /// All messages of a call's request, the repeated ones too.
    public func messages(of call: Call) -> [JSONValue] {
        var line = [call]
        while let parent = line.last?.parent, let place = places[parent] { line.append(calls[place]) }
        var messages: [JSONValue] = []
        for call in line.reversed() {
            var own = call.newMessages[...]
            var next: [JSONValue] = []
            for run in call.runs {
                switch run {
                case .repeated(let range): next += messages[range]
                case .new(let count):
                    next += own.prefix(count)
                    own = own.dropFirst(count)
                }
            }
            messages = next
        }
        return messages
    }
}

extension RolloutConversation.Call {
    fileprivate init(_ reader: JSONReader) throws(JSONDecodingError) {
        raw = .object(try reader.object())
        id = try reader["id"].nonEmptyString()
        parent = try reader["parent"].present?.string()
        depth = try reader["depth"].int()
        branch = try reader["branch"].int()
        attempt = try reader["attempt"].present?.decode()
        newMessages = try reader["new_messages"].elements().map { $0.value ?? .null }
        tools = reader["tools"].value?.array
        if let message = reader["answer"].present?.value {
            answer = try Message(from: JSONReader(MessageRepair.repaired(message), path: reader["answer"].path))
        }
        finishReason = try reader["finish_reason"].present?.string()
        usage = try reader["usage"].present?.decode()
        request = try reader["request"].present?.string()
        runs = []
        repeated = 0
        for run in try reader["history"].elements() {
            if let count = try run["new"].present?.int() {
                runs.append(.new(count))
                continue
            }
            let (start, count) = (try run["from"].int(), try run["count"].int())
            guard start >= 0, count >= 0, count <= Int.max - start else {
                throw run.error(expected: "a run of messages")
            }
            runs.append(.repeated(start..<start + count))
            repeated += count
        }
        messageCount = repeated + newMessages.count
    }

    /// Whether its history is made of messages that there are.
    fileprivate func fits(_ parent: Self?) -> Bool {
        var new = 0
        for run in runs {
            switch run {
            case .repeated(let range) where range.upperBound > parent?.messageCount ?? 0: return false
            case .new(let count) where count < 0 || count > newMessages.count - new: return false
            case .repeated: continue
            case .new(let count): new += count
            }
        }
        return new == newMessages.count
    }
}
