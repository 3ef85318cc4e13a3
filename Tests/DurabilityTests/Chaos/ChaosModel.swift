// Part of Rollcall. SPDX-License-Identifier: Apache-2.0

import NIOHTTP1
import TestSupport
import WireJSON

/// The model behind the gateway: it does what a call's own body asks for, and writes down what it got.
struct ChaosModel: Sendable {
    /// What it does with a call.
    enum Manner: String, Sendable, CaseIterable {
        case answer, slow, zipped, refuse, overload, fail, drop, stall
        /// Breaks off in the middle.
        case cut
        /// Breaks off a stream after the event that finishes it.
        case late
        /// Ends a stream with `[DONE]` alone.
        case done

        /// Whether an answer is one that a trace is made of.
        var completes: Bool { [.answer, .slow, .zipped, .late, .done].contains(self) }

        /// The status of an answer that is none of a model's.
        var refusal: Int? {
            switch self {
            case .refuse: 400
            case .overload: 429
            case .fail: 500
            default: nil
            }
        }
    }

    /// What a call asks for; it stands in the body under `chaos`.
    struct Wish: Sendable {
        var call: String
        var manner: Manner
        var streamed: Bool
        /// How much of an answer.
        var words: Int

        var json: JSONValue {
            ["call": .string(call), "manner": .string(manner.rawValue), "words": .number(JSONNumber(words))]
        }

        init(call: String, manner: Manner, streamed: Bool, words: Int) {
            self.call = call
            self.manner = manner
            self.streamed = streamed
            self.words = words
        }

        init?(_ body: JSONValue) {
            guard let wish = body["chaos"], let call = wish["call"]?.string,
                let manner = wish["manner"]?.string.flatMap(Manner.init), let words = wish["words"]?.int
            else { return nil }
            self.init(call: call, manner: manner, streamed: body["stream"]?.bool ?? false, words: words)
        }

        /// What the model says.
        var content: String { "to \(call)" + String(repeating: " and so on", count: words) }

        /// The answer's bytes, all of them.
        var answer: [UInt8] {
            if let refusal = manner.refusal {
                return Array(#"{"error":{"message":"\#(refusal) for \#(call)"}}"#.utf8)
            }
            if streamed { return blocks.flatMap { Array($0.utf8) } }
            let plain = Array(
                (#"{"id":"\#(call)","object":"chat.completion","model":"m","choices":[{"index":0,"finish_reason":"stop","#
                    + #""message":{"role":"assistant","content":"\#(content)"}}],"#
                    + #""usage":{"prompt_tokens":1,"completion_tokens":2,"total_tokens":3}}"#).utf8)
            return manner == .zipped ? StoredZip.zipped(plain) : plain
        }

        /// A stream's events.
        fileprivate var blocks: [String] {
            func event(_ delta: String, finish: String = "null") -> String {
                #"data: {"id":"\#(call)","object":"chat.completion.chunk","model":"m","choices":[{"index":0,"#
                    + #""delta":{\#(delta)},"finish_reason":\#(finish)}]}"# + "\n\n"
            }
            let middle = content.index(content.startIndex, offsetBy: content.count / 2)
            var blocks = [
                event(#""role":"assistant","content":"""#), event(#""content":"\#(content[..<middle])""#),
            ]
            if manner == .cut { return blocks }
            blocks.append(event(#""content":"\#(content[middle...])""#))
            if manner != .done { blocks.append(event("", finish: #""stop""#)) }
            if manner != .late { blocks.append("data: [DONE]\n\n") }
            return blocks
        }
    }

    let ledger: ChaosLedger

    func answer(_ request: ScriptedHTTPServer.Request) async -> ScriptedHTTPServer.Response {
        guard let body = request.json, let wish = Wish(body) else {
            ledger.fault("the model got what no client sent: \(request.text.prefix(200))")
            return .text("", status: 400)
        }
        ledger.modelGot(request.body, of: wish.call)
        if request.header("authorization") != nil { ledger.fault("the model got the key of \(wish.call)") }
        let headers: HTTPHeaders = ["x-chaos": wish.call, "content-type": "application/json"]
        if let refusal = wish.manner.refusal {
            return ScriptedHTTPServer.Response(status: refusal, headers: headers, body: .bytes(wish.answer))
        }
        switch wish.manner {
        case .drop: return .dropped
        case .stall:
            // Until the gateway hangs up, which cancels this.
            try? await Task.sleep(for: .seconds(2))
            return .dropped
        case .slow: try? await Task.sleep(for: .milliseconds(Int.random(in: 1...60)))
        default: break
        }
        if wish.streamed {
            var response = ScriptedHTTPServer.Response.events(
                stream(wish), cut: wish.manner == .cut || wish.manner == .late)
            response.headers.add(name: "x-chaos", value: wish.call)
            return response
        }
        var response = ScriptedHTTPServer.Response(headers: headers, body: .bytes(wish.answer))
        if wish.manner == .zipped { response.headers.add(name: "content-encoding", value: "gzip") }
        if wish.manner == .cut {
            let half = Array(wish.answer.prefix(wish.answer.count / 2))
            response.body = .cutStream(
                AsyncStream([UInt8].self, bufferingPolicy: .unbounded) {
                    $0.yield(half)
                    $0.finish()
                })
        }
        return response
    }

    private func stream(_ wish: Wish) -> AsyncStream<[UInt8]> {
        let blocks = wish.blocks
        return AsyncStream([UInt8].self, bufferingPolicy: .unbounded) { continuation in
            let task = Task {
                for block in blocks {
                    if wish.manner == .slow { try? await Task.sleep(for: .milliseconds(Int.random(in: 0...10))) }
                    continuation.yield(Array(block.utf8))
                }
                continuation.finish()
            }
            continuation.onTermination = { _ in task.cancel() }
        }
    }
}
