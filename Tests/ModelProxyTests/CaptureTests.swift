// Part of Rollcall. SPDX-License-Identifier: Apache-2.0

import EvalProtocol
import ModelProxy
import NIOCore
import NIOHTTP1
import Synchronization
import TestSupport
import Testing
import TraceStore
import WireJSON

/// Each kind of server, as it answers a call, streamed and not, by what was asked of it.
@Suite("ModelProxy: capture for training")
struct CaptureTests {
    typealias Token = LogprobsPayload.Token

    struct Case: Sendable, CustomStringConvertible {
        var name: String
        var profile: String
        var capture = Capture.tokens
        /// What the client's body has besides the message.
        var asked = ""
        /// What stands at the end of the body that the upstream gets, in place of `asked`.
        var sent: String
        /// What the upstream answers: a completion, or the data of a stream's events.
        var answer: [String]
        /// What the client sees of it.
        var seen: [String]
        var tokens: [Token] = []
        var prompt: [Int32] = []
        var missing: [String] = []
        var reason = ""
        var routing: [[UInt8]?] = []

        var streams: Bool { asked.contains(#""stream":true"#) }
        var description: String { name }
    }

    private static let twoTokens = [Token(id: 11, logprob: -0.5), Token(id: 12, logprob: -1.25)]
    private static let noIDs = [Token(id: nil, logprob: -0.5), Token(id: nil, logprob: -1.25)]
    private static let ids = ["completion_token_ids", "prompt_token_ids"]

    /// An entry of log probabilities with other members.
    private static func entry(_ token: String, _ logprob: String, _ more: String = "") -> String {
        #"{"token":"\#(token)","logprob":\#(logprob),"bytes":[97],"top_logprobs":[]\#(more)}"#
    }

    private static func logprobs(_ first: String = "", _ second: String = "") -> String {
        #"{"content":[\#(entry("a", "-0.5", first)), \#(entry(" b", "-1.25", second))]}"#
    }

    private static func chunk(_ choice: String, _ more: String = "") -> String {
        #"{"id":"c","object":"chat.completion.chunk","created":1,"model":"m","choices":[\#(choice)]\#(more)}"#
    }

    private static func completion(_ choice: String, _ more: String = "") -> String {
        #"{"id":"c","object":"chat.completion","model":"m","choices":[{"index":0,"#
            + #""message":{"role":"assistant","content":"a b"},\#(choice)}],"#
            + #""usage":{"prompt_tokens":3,"completion_tokens":2}\#(more)}"#
    }

    // MARK: vLLM

    private static let vllmAsked = #""logprobs":true,"top_logprobs":0,"return_token_ids":true"#
    private static let vllm: [Case] = [
        Case(
            name: "vLLM", profile: "vllm", sent: "," + vllmAsked,
            answer: [
                completion(
                    #""logprobs":\#(logprobs()),"finish_reason":"stop","token_ids":[11, 12]"#,
                    #","prompt_logprobs":null,"prompt_token_ids":[1,2,3]"#)
            ],
            seen: [
                completion(
                    #""logprobs":null,"finish_reason":"stop","token_ids":null"#,
                    #","prompt_logprobs":null,"prompt_token_ids":null"#)
            ], tokens: twoTokens, prompt: [1, 2, 3]),
        Case(
            name: "vLLM, log probabilities alone", profile: "vllm", capture: .logprobs, asked: #","top_logprobs":null"#,
            sent: #","top_logprobs":0,"logprobs":true"#,
            answer: [completion(#""logprobs":\#(logprobs()),"finish_reason":"stop","token_ids":null"#)],
            seen: [completion(#""logprobs":null,"finish_reason":"stop","token_ids":null"#)], tokens: noIDs),
        Case(
            name: "vLLM, asked by the client", profile: "vllm",
            asked: #","logprobs":true,"top_logprobs":2,"return_token_ids":true"#,
            sent: #","logprobs":true,"top_logprobs":2,"return_token_ids":true"#,
            answer: [
                completion(
                    #""logprobs":\#(logprobs()),"finish_reason":"stop","token_ids":[11,12]"#,
                    #","prompt_token_ids":[1,2,3]"#)
            ],
            seen: [
                completion(
                    #""logprobs":\#(logprobs()),"finish_reason":"stop","token_ids":[11,12]"#,
                    #","prompt_token_ids":[1,2,3]"#)
            ], tokens: twoTokens, prompt: [1, 2, 3]),
        Case(
            name: "vLLM, log probabilities asked by the client", profile: "vllm", asked: #","logprobs":true"#,
            sent: #","logprobs":true,"return_token_ids":true"#,
            answer: [
                completion(#""logprobs":\#(logprobs()),"token_ids":[11,12]"#, #","prompt_token_ids":[1,2,3]"#)
            ],
            seen: [completion(#""logprobs":\#(logprobs()),"token_ids":null"#, #","prompt_token_ids":null"#)],
            tokens: twoTokens, prompt: [1, 2, 3]),
        Case(
            name: "vLLM with experts", profile: "vllm+routing", sent: "," + vllmAsked,
            answer: [
                completion(
                    #""logprobs":\#(logprobs()),"token_ids":[11,12],"routed_experts":"\#(numpy)""#,
                    #","prompt_token_ids":[1,2,3]"#)
            ],
            // It sends them to everybody.
            seen: [
                completion(
                    #""logprobs":null,"token_ids":null,"routed_experts":"\#(numpy)""#, #","prompt_token_ids":null"#)
            ], tokens: twoTokens, prompt: [1, 2, 3], routing: [[5, 6], [7, 8]]),
        Case(
            name: "vLLM, streamed", profile: "vllm", asked: #","stream":true"#,
            sent: #","stream":true,\#(vllmAsked)"#,
            answer: [
                chunk(
                    #"{"index":0,"delta":{"role":"assistant","content":""},"logprobs":null,"finish_reason":null}"#,
                    #","prompt_token_ids":[1,2,3]"#),
                // A token that its parser has withheld: there is a chunk only for the sake of its id.
                chunk(
                    #"{"index":0,"delta":{},"logprobs":{"content":[\#(entry("a", "-0.5"))]},"finish_reason":null,"token_ids":[11]}"#
                ),
                chunk(
                    #"{"index":0,"delta":{"content":"a b"},"logprobs":{"content":[\#(entry("b", "-1.25"))]},"finish_reason":"stop","stop_reason":null,"token_ids":[12]}"#
                ), "[DONE]",
            ],
            seen: [
                chunk(
                    #"{"index":0,"delta":{"role":"assistant","content":""},"logprobs":null,"finish_reason":null}"#,
                    #","prompt_token_ids":null"#),
                chunk(
                    #"{"index":0,"delta":{"content":"a b"},"logprobs":null,"finish_reason":"stop","stop_reason":null,"token_ids":null}"#
                ), "[DONE]",
            ], tokens: twoTokens, prompt: [1, 2, 3]),
        Case(
            name: "vLLM, too few log probabilities", profile: "vllm", sent: "," + vllmAsked,
            answer: [
                completion(
                    #""logprobs":{"content":[\#(entry("a", "-0.5"))]},"token_ids":[11,12]"#,
                    #","prompt_token_ids":[1,"x"]"#)
            ], seen: [completion(#""logprobs":null,"token_ids":null"#, #","prompt_token_ids":null"#)],
            tokens: [Token(id: nil, logprob: -0.5)], missing: ["logprobs"] + ids,
            reason: "1 log probabilities came for 2 completion tokens"),
        Case(
            name: "vLLM before it knew token ids", profile: "vllm", sent: "," + vllmAsked,
            answer: [completion(#""logprobs":\#(logprobs()),"finish_reason":"stop""#)],
            seen: [completion(#""logprobs":null,"finish_reason":"stop""#)], tokens: noIDs, missing: ids),
    ]

    /// A `.npy` file of four rows with a layer and two experts each: prompt tokens 1, 2 and 3, completion tokens 1.
    private static let numpy: String = {
        let header = "{'descr': '<i4', 'fortran_order': False, 'shape': (4, 1, 2), }\n"
        var file: [UInt8] = [0x93] + Array("NUMPY".utf8) + [1, 0, UInt8(header.utf8.count), 0] + Array(header.utf8)
        for expert in UInt8(1)...8 { file += [expert, 0, 0, 0] }
        return Base64.encoded(file)
    }()

    // MARK: SGLang

    private static let sglang: [Case] = [
        Case(
            name: "SGLang", profile: "sglang",
            sent: #","logprobs":true,"return_prompt_token_ids":true,"return_meta_info":true"#,
            answer: [
                completion(
                    #""logprobs":\#(logprobs()),"finish_reason":"stop","matched_stop":2,"prompt_token_ids":[1,2,3],"#
                        + #""meta_info":{"id":"x","output_token_logprobs":[[-0.5,11,"a"],[-1.25,12,null]]}"#,
                    #","metadata":{"weight_version":"step-7"}"#)
            ],
            seen: [
                completion(
                    #""logprobs":null,"finish_reason":"stop","matched_stop":2"#,
                    #","metadata":{"weight_version":"step-7"}"#)
            ], tokens: twoTokens, prompt: [1, 2, 3]),
        Case(
            name: "SGLang with experts", profile: "sglang+routing", asked: #","return_cached_tokens_details":true"#,
            sent:
                #","return_cached_tokens_details":true,"logprobs":true,"return_prompt_token_ids":true,"return_meta_info":true,"return_routed_experts":true"#,
            answer: [
                completion(
                    #""logprobs":\#(logprobs()),"prompt_token_ids":[1,2,3],"#
                        + #""meta_info":{"output_token_logprobs":[[-0.5,11,"a"],[-1.25,12,"b"]]}"#,
                    #","sglext":{"routed_experts":"\#(experts)","cached_tokens_details":{"device":1}}"#)
            ],
            seen: [completion(#""logprobs":null"#, #","sglext":{"cached_tokens_details":{"device":1}}"#)],
            tokens: twoTokens, prompt: [1, 2, 3], routing: [[44, 1, 6, 0], [7, 0, 8, 0]]),
        Case(
            name: "SGLang, streamed", profile: "sglang+routing", asked: #","stream":true"#,
            sent: #","stream":true,"logprobs":true,"return_routed_experts":true"#,
            answer: [
                chunk(#"{"index":0,"delta":{"role":"assistant","content":""},"logprobs":null,"finish_reason":null}"#),
                chunk(
                    #"{"index":0,"delta":{"role":null,"content":"a b","tool_calls":null},"logprobs":\#(logprobs()),"finish_reason":null}"#
                ),
                chunk(#"{"index":0,"delta":{},"logprobs":null,"finish_reason":"stop"}"#),
                chunk("", #","usage":null,"sglext":{"routed_experts":"\#(experts)"}"#),
                chunk("", #","usage":{"prompt_tokens":3,"completion_tokens":2}"#), "[DONE]",
            ],
            seen: [
                chunk(#"{"index":0,"delta":{"role":"assistant","content":""},"logprobs":null,"finish_reason":null}"#),
                chunk(
                    #"{"index":0,"delta":{"role":null,"content":"a b","tool_calls":null},"logprobs":null,"finish_reason":null}"#
                ),
                chunk(#"{"index":0,"delta":{},"logprobs":null,"finish_reason":"stop"}"#),
                chunk("", #","usage":{"prompt_tokens":3,"completion_tokens":2}"#), "[DONE]",
            ], tokens: noIDs, missing: ids,
            reason: "servers of the profile sglang+routing refuse return_prompt_token_ids in streamed calls",
            routing: [[44, 1, 6, 0], [7, 0, 8, 0]]),
    ]

    /// Four rows of two experts, 32 bits each; one has a number of more than eight bits.
    private static let experts: String = {
        var bytes: [UInt8] = []
        for expert in [1, 2, 3, 4, 300, 6, 7, 8] as [Int32] {
            bytes += (0..<4).map { UInt8(truncatingIfNeeded: expert >> ($0 * 8)) }
        }
        return Base64.encoded(bytes)
    }()

    // MARK: llama.cpp

    private static let llamaPrompt = "servers of the profile llamacpp do not give the token ids of prompts"
    private static let llama: [Case] = [
        Case(
            name: "llama.cpp", profile: "llamacpp", asked: #","logprobs":false"#,
            sent: #","logprobs":true,"top_logprobs":1"#,
            answer: [
                completion(
                    #""logprobs":\#(logprobs(#","id":11"#, #","id":12"#))"#, #","timings":{"predicted_n":2}"#)
            ],
            seen: [
                #"{"id":"c","object":"chat.completion","model":"m","choices":[{"index":0,"#
                    + #""message":{"role":"assistant","content":"a b"}}],"#
                    + #""usage":{"prompt_tokens":3,"completion_tokens":2},"timings":{"predicted_n":2}}"#
            ], tokens: twoTokens, missing: ["prompt_token_ids"], reason: llamaPrompt),
        Case(
            name: "llama.cpp, streamed", profile: "llamacpp", asked: #","stream":true"#,
            sent: #","stream":true,"logprobs":true,"top_logprobs":1"#,
            answer: [
                chunk(#"{"finish_reason":null,"index":0,"delta":{"role":"assistant","content":null}}"#),
                chunk(
                    #"{"finish_reason":null,"index":0,"delta":{"content":"a b"},"logprobs":\#(logprobs(#","id":11"#, #","id":12"#))}"#
                ),
                // Its streams lack the token that ends them.
                chunk(
                    #"{"finish_reason":"stop","index":0,"delta":{}}"#, #","timings":{"prompt_n":1,"predicted_n":3}"#),
                "[DONE]",
            ],
            seen: [
                chunk(#"{"finish_reason":null,"index":0,"delta":{"role":"assistant","content":null}}"#),
                chunk(#"{"finish_reason":null,"index":0,"delta":{"content":"a b"}}"#),
                chunk(
                    #"{"finish_reason":"stop","index":0,"delta":{}}"#, #","timings":{"prompt_n":1,"predicted_n":3}"#),
                "[DONE]",
            ], tokens: twoTokens, missing: ["logprobs"] + ids,
            reason: "2 log probabilities came for 3 completion tokens"),
        Case(
            name: "llama.cpp, streamed with tools", profile: "llamacpp", capture: .logprobs,
            asked: #","stream":true,"tools":[{"type":"function","function":{"name":"f"}}]"#,
            sent: #","stream":true,"tools":[{"type":"function","function":{"name":"f"}}]"#,
            answer: [chunk(#"{"finish_reason":"stop","index":0,"delta":{"content":"a b"}}"#), "[DONE]"],
            seen: [chunk(#"{"finish_reason":"stop","index":0,"delta":{"content":"a b"}}"#), "[DONE]"],
            missing: ["logprobs"],
            reason: "servers of the profile llamacpp refuse logprobs in streamed calls with tools"),
    ]

    // MARK: Fireworks

    private static let fireworks: [Case] = [
        Case(
            name: "Fireworks", profile: "fireworks+routing",
            sent: #","logprobs":true,"return_token_ids":true,"include_routing_matrix":true"#,
            answer: [
                completion(
                    #""finish_reason":"stop","logprobs":\#(logprobs(matrix([1, 2], 11), matrix([3, 4], 12))),"token_ids":[11,12]"#,
                    #","prompt_token_ids":[1,2,3]"#)
            ], seen: [completion(#""finish_reason":"stop""#)], tokens: twoTokens, prompt: [1, 2, 3],
            routing: [[1, 2], [3, 4]]),
        Case(
            name: "Fireworks, log probabilities asked by the client", profile: "fireworks+routing",
            asked: #","logprobs":true"#,
            sent: #","logprobs":true,"return_token_ids":true,"include_routing_matrix":true"#,
            answer: [
                completion(
                    #""logprobs":\#(logprobs(matrix([1, 2], 11), matrix([3, 4], 12))),"prompt_token_ids":[1,2,3]"#)
            ],
            seen: [completion(#""logprobs":\#(logprobs(#","token_id":11"#, #","token_id":12"#))"#)],
            tokens: twoTokens, prompt: [1, 2, 3], routing: [[1, 2], [3, 4]]),
        Case(
            name: "Fireworks, the client's log probabilities in their old form", profile: "fireworks",
            asked: #","logprobs":1"#, sent: #","logprobs":1,"return_token_ids":true"#,
            answer: [
                completion(
                    #""logprobs":{"tokens":["a"," b"],"token_logprobs":[-0.5,-1.25],"token_ids":[11,12]}"#,
                    #","prompt_token_ids":[1,2,3]"#)
            ],
            seen: [
                completion(
                    #""logprobs":{"tokens":["a"," b"],"token_logprobs":[-0.5,-1.25],"token_ids":[11,12]}"#)
            ], tokens: twoTokens, prompt: [1, 2, 3]),
        Case(
            name: "Fireworks, streamed", profile: "fireworks+routing", asked: #","stream":true"#,
            sent: #","stream":true,"logprobs":true,"return_token_ids":true,"include_routing_matrix":true"#,
            answer: [
                chunk(
                    #"{"index":0,"delta":{"role":"assistant"},"finish_reason":null,"prompt_token_ids":[1,2,3]}"#,
                    #","prompt_token_ids":[1,2,3]"#),
                chunk(
                    #"{"index":0,"delta":{"content":"a b"},"finish_reason":null,"logprobs":\#(logprobs(matrix([1, 2], 11), matrix(nil, 12))),"token_ids":[11,12]}"#
                ),
                chunk(
                    #"{"index":0,"delta":{},"finish_reason":"stop"}"#,
                    #","usage":{"prompt_tokens":3,"completion_tokens":2}"#), "[DONE]",
            ],
            seen: [
                chunk(#"{"index":0,"delta":{"role":"assistant"},"finish_reason":null}"#),
                chunk(#"{"index":0,"delta":{"content":"a b"},"finish_reason":null}"#),
                chunk(
                    #"{"index":0,"delta":{},"finish_reason":"stop"}"#,
                    #","usage":{"prompt_tokens":3,"completion_tokens":2}"#), "[DONE]",
            ], tokens: twoTokens, prompt: [1, 2, 3], missing: ["router_replay"], routing: [[1, 2], nil]),
    ]

    private static func matrix(_ experts: [UInt8]?, _ id: Int) -> String {
        #","token_id":\#(id)"# + (experts.map { #","routing_matrix":"\#(Base64.encoded($0))""# } ?? "")
    }

    // MARK: OpenAI

    private static let entries = "[\(entry("a", "-0.5")), \(entry("b", "-1.25"))]"
    private static let openai: [Case] = [
        Case(
            name: "OpenAI", profile: "openai", capture: .logprobs, sent: #","logprobs":true"#,
            answer: [completion(#""logprobs":{"content":\#(entries),"refusal":null}"#)],
            seen: [completion(#""logprobs":null"#)], tokens: noIDs),
        Case(
            name: "OpenAI, token ids", profile: "openai", sent: #","logprobs":true"#,
            answer: [completion(#""logprobs":{"content":null,"refusal":\#(entries)}"#)],
            seen: [completion(#""logprobs":null"#)], tokens: noIDs, missing: ids,
            reason: "servers of the profile openai do not give the token ids of prompts"),
        Case(
            name: "OpenAI, streamed", profile: "openai", capture: .logprobs, asked: #","stream":true"#,
            sent: #","stream":true,"logprobs":true"#,
            answer: [
                chunk(#"{"index":0,"delta":{"content":"a b"},"logprobs":\#(logprobs()),"finish_reason":null}"#),
                chunk(#"{"index":0,"delta":{},"logprobs":null,"finish_reason":"stop"}"#), "[DONE]",
            ],
            seen: [
                chunk(#"{"index":0,"delta":{"content":"a b"},"logprobs":null,"finish_reason":null}"#),
                chunk(#"{"index":0,"delta":{},"logprobs":null,"finish_reason":"stop"}"#), "[DONE]",
            ], tokens: noIDs),
        Case(
            name: "OpenAI, which gives none", profile: "openai", capture: .logprobs, sent: #","logprobs":true"#,
            answer: [completion(#""logprobs":null"#)], seen: [completion(#""logprobs":null"#)], missing: ["logprobs"]),
        Case(
            name: "OpenAI, a token without its log probability", profile: "openai", capture: .logprobs,
            sent: #","logprobs":true"#,
            answer: [completion(#""logprobs":{"content":[\#(entry("a", "-0.5")),{"token":"b","logprob":null}]}"#)],
            seen: [completion(#""logprobs":null"#)], tokens: [Token(id: nil, logprob: -0.5)], missing: ["logprobs"],
            reason: "a token came without its log probability"),
        Case(
            name: "nothing to capture", profile: "vllm", capture: .none, sent: "",
            answer: [completion(#""logprobs":null,"token_ids":[11]"#)],
            seen: [completion(#""logprobs":null,"token_ids":[11]"#)]),
    ]

    // MARK: The tests

    private static let head = #"{"model":"m","messages":[{"role":"user","content":"hi"}]"#

    @Test(
        "every server is asked in its own way, and the client sees what it asked for",
        arguments: vllm + sglang + llama + fireworks + openai)
    func servers(_ example: Case) async throws {
        let upstream = try await RawUpstream.start()
        let rules = try UpstreamRules(
            upstream: "http://127.0.0.1:\(upstream.port)/v1",
            capture: CaptureRules(captures: [example.capture.rawValue], profiles: [example.profile]))
        try await TestGateway.with(upstream: nil, configure: { $0.upstreams = rules }) { gateway in
            let client = try await RawConnection.connect(port: gateway.port)
            let body = Self.head + example.asked + "}"
            try await client.send(TestGateway.request(headers: ["connection: close"], body: body))
            let served = try await upstream.connection(0, with: Self.head + example.sent + "}")
            if example.streams {
                let events = example.answer.map { "data: \($0)\r\n\r\n" }
                try await served.send(Script.streamHead + events.map(Script.chunk).joined() + Script.end)
            } else {
                try await served.send(Script.answer(example.answer[0]))
            }
            try await client.waitForEnd()
            let answer = try Answer(client.bytes)
            let seen = example.streams ? example.seen.map { "data: \($0)\r\n\r\n" }.joined() : example.seen[0]
            #expect(answer.text == seen && answer.isWhole)
            let call = try #require(gateway.store.calls.first)
            #expect(call.state == .recorded && call.request.body == Array(body.utf8))
            let captured = call.captured
            #expect(captured.capture == example.capture && captured.missing == example.missing)
            #expect(captured.promptTokenIDs == example.prompt)
            #expect(captured.reasons.isEmpty == example.missing.isEmpty || example.reason.isEmpty)
            if !example.reason.isEmpty { #expect(captured.reasons.contains(example.reason), "\(captured.reasons)") }
            let first = captured.choices.first
            #expect(try Self.tokens(first) == example.tokens)
            #expect(try Self.routing(first) == example.routing)
            // What repeats what stands elsewhere is not stored again.
            let stored = try JSONValue(parsing: call.answer)
            let choice = stored["choices"]?[0]
            #expect(stored["prompt_token_ids"]?.array == nil && choice?["prompt_token_ids"]?.array == nil)
            #expect(choice?["routed_experts"] == nil && choice?["message"]?["content"]?.string == "a b")
            #expect(call.edits == Self.added(example).map { "capture:\($0)" })
        }
        try await upstream.stop()
    }

    private static func tokens(_ choice: CapturedTokens.Choice?) throws -> [Token] {
        guard let choice, !choice.logprobs.isEmpty else { return [] }
        return try LogprobsPayload(decoding: choice.logprobs).tokens
    }

    private static func routing(_ choice: CapturedTokens.Choice?) throws -> [[UInt8]?] {
        guard let choice, !choice.routing.isEmpty else { return [] }
        return try RouterReplayPayload(decoding: choice.routing).matrices
    }

    /// The fields that the upstream got and the client did not send so.
    private static func added(_ example: Case) -> [String] {
        let sent = (try? JSONValue(parsing: Array((head + example.sent + "}").utf8)))?.object
        let asked = (try? JSONValue(parsing: Array((head + example.asked + "}").utf8)))?.object
        let first = ["logprobs", "top_logprobs"]
        return (first + (sent?.keys ?? []).filter { !first.contains($0) }).filter { sent?[$0] != asked?[$0] }
    }

    @Test("choices are captured apart, whatever the order of their chunks")
    func choices() async throws {
        let body = Self.head + #","stream":true,"n":2}"#
        let events = [(0, "stop", "-0.5", 11), (1, "stop", "-1.25", 12)].reversed().map { index, reason, logprob, id in
            Self.chunk(
                #"{"index":\#(index),"delta":{"content":"x"},"finish_reason":"\#(reason)","token_ids":[\#(id)],"logprobs":{"content":[\#(Self.entry("x", logprob))]}}"#,
                #","prompt_token_ids":[1]"#)
        }
        let captured = try await capture("vllm", body, events.map { "data: \($0)\n\n" }.joined() + Script.done)
        #expect(captured.missing.isEmpty)
        #expect(try captured.choices.map(Self.tokens) == Self.twoTokens.map { [$0] })
    }

    @Test("of choices that were asked for and did not come, it says so")
    func fewerChoices() async throws {
        let body = Self.head + #","n":2}"#
        let captured = try await capture("openai", body, Self.completion(#""logprobs":\#(Self.logprobs())"#))
        #expect(captured.missing == ["logprobs"] + Self.ids)
    }

    /// What is captured of one call; a stream's body is sent as one chunk.
    private func capture(_ profile: String, _ body: String, _ answer: String) async throws -> CapturedTokens {
        let upstream = try await RawUpstream.start()
        let rules = try UpstreamRules(
            upstream: "http://127.0.0.1:\(upstream.port)",
            capture: CaptureRules(captures: ["tokens"], profiles: [profile]))
        let captured = Kept()
        try await TestGateway.with(upstream: nil, configure: { $0.upstreams = rules }) { gateway in
            let client = try await RawConnection.connect(port: gateway.port)
            try await client.send(TestGateway.request(headers: ["connection: close"], body: body))
            let served = try await upstream.connection(0, with: "hi")
            try await served.send(
                answer.hasPrefix("data:")
                    ? Script.streamHead + Script.chunk(answer) + Script.end : Script.answer(answer))
            try await client.waitForEnd()
            captured.set(try #require(gateway.store.calls.first).captured)
        }
        try await upstream.stop()
        return captured.value
    }

    @Test("a compressed answer loses its compression with what is taken out of it", arguments: [true, false])
    func compressed(streams: Bool) async throws {
        let upstream = try await RawUpstream.start()
        let rules = try UpstreamRules(
            upstream: "http://127.0.0.1:\(upstream.port)",
            capture: CaptureRules(captures: ["logprobs"], profiles: []))
        try await TestGateway.with(upstream: nil, configure: { $0.upstreams = rules }) { gateway in
            let client = try await RawConnection.connect(port: gateway.port)
            let body = Self.head + (streams ? #","stream":true}"# : "}")
            try await client.send(TestGateway.request(headers: ["connection: close"], body: body))
            let served = try await upstream.connection(0, with: "hi")
            let choice = #"{"index":0,"delta":{"content":"a"},"logprobs":\#(Self.logprobs()),"finish_reason":"stop"}"#
            let plain =
                streams
                ? "data: \(Self.chunk(choice))\n\n" + Script.done : Self.completion(#""logprobs":\#(Self.logprobs())"#)
            let zipped = try Zipped.gzip(Array(plain.utf8))
            let type = streams ? "text/event-stream" : "application/json"
            try await served.send(
                Array(
                    "HTTP/1.1 200 OK\r\ncontent-type: \(type)\r\ncontent-encoding: gzip\r\ncontent-length: \(zipped.count)\r\n\r\n"
                        .utf8) + zipped)
            try await client.waitForEnd()
            let answer = try Answer(client.bytes)
            #expect(answer["content-encoding"] == nil && answer.isWhole)
            #expect(answer.text == plain.replacing(Self.logprobs(), with: "null"))
            #expect(gateway.store.calls.first?.captured.missing == [])
        }
        try await upstream.stop()
    }

    @Test("what an upstream tells without a request for it is recorded: the policy's version, and the prompt's ids")
    func unasked() async throws {
        let upstream = try await RawUpstream.start()
        try await TestGateway.with(upstream: "http://127.0.0.1:\(upstream.port)") { gateway in
            let client = try await RawConnection.connect(port: gateway.port)
            let answers = [
                Script.answer(headers: ["x-policy-version: 41"]),
                Script.answer(Self.completion(#""logprobs":null"#, #","metadata":{"weight_version":42}"#)),
                Script.answer(
                    Self.completion(#""logprobs":null"#, #","policy_version":"v43","prompt_token_ids":[4, 5]"#)),
            ]
            for (index, answer) in answers.enumerated() {
                try await client.send(TestGateway.request())
                let served = try await upstream.connection(0, with: "hi")
                served.clear()
                try await served.send(answer)
                try await eventually("call \(index)") { gateway.store.calls.count == index + 1 }
                try await client.waitFor("usage")
                client.clear()
            }
            #expect(gateway.store.calls.map(\.policyVersion) == ["41", "42", "v43"])
            let last = gateway.store.calls[2]
            #expect(last.captured == CapturedTokens(promptTokenIDs: [4, 5]))
            #expect(!String(decoding: last.answer, as: UTF8.self).contains("prompt_token_ids"))
        }
        try await upstream.stop()
    }

    @Test("chunks are edited whole, however their bytes are cut, and after the record too", arguments: 0..<8)
    func cutAnywhere(_ number: Int) throws {
        var random = SeededGenerator.printingSeed()
        let example = try #require((Self.vllm + Self.fireworks).filter(\.streams).randomElement(using: &random))
        let request = try ModelRequest(body: Array((Self.head + example.asked + "}").utf8))
        let profile = try #require(UpstreamProfile(example.profile))
        let plan = ModelCall.Plan(
            isRecorded: true, streams: true, capture: CapturePlan(.tokens, of: profile, request))
        let now = NIODeadline.uptimeNanoseconds(1)
        var call = ModelCall(plan, now: now)
        let head = ResponseHead(
            status: 200, reason: "", headers: ["content-type": "text/event-stream"], length: .chunked,
            keepsAlive: true)
        _ = call.answered(head, now: now)
        // The last event lacks its empty line.
        var rest = Array((example.answer.dropLast().map { "data: \($0)\n\n" }.joined() + ": bye").utf8)[...]
        var seen = ByteBuffer()
        while !rest.isEmpty {
            let count = Int.random(in: 1...60, using: &random)
            let step = call.received(ByteBuffer(bytes: rest.prefix(count)), now: now)
            if let bytes = step.bytes { seen.writeImmutableBuffer(bytes) }
            rest = rest.dropFirst(count)
            if case .holding = call.phase, Bool.random(using: &random) {
                _ = call.checkTime(isPaused: false, now: now + .seconds(31))
                if let bytes = call.recorded(true, now: now).bytes { seen.writeImmutableBuffer(bytes) }
            }
        }
        var last = call.upstreamEnded(now: now)
        if call.phase != .ended { last = call.recorded(true, now: now) }
        if let bytes = last.bytes { seen.writeImmutableBuffer(bytes) }
        #expect(String(buffer: seen) == example.seen.dropLast().map { "data: \($0)\n\n" }.joined() + ": bye")
        #expect(last.end == .clean && call.phase == .ended)
        #expect(call.captured.promptTokenIDs == example.prompt)
    }

    @Test("a call that is not recorded is not asked for more")
    func unrecorded() async throws {
        let upstream = try await RawUpstream.start()
        let rules = try UpstreamRules(
            upstream: "http://127.0.0.1:\(upstream.port)",
            capture: CaptureRules(captures: ["tokens"], profiles: ["vllm"]))
        try await TestGateway.with(upstream: nil, configure: { $0.upstreams = rules }) { gateway in
            let client = try await RawConnection.connect(port: gateway.port)
            try await client.send(TestGateway.request("POST", "/chat/completions", body: Self.head + "}"))
            let served = try await upstream.connection(0, with: Self.head + "}")
            try await served.send(Script.answer())
            try await client.waitFor(Script.completion)
        }
        try await upstream.stop()
    }

    private final class Kept: Sendable {
        private let kept = Mutex(CapturedTokens())
        var value: CapturedTokens { kept.withLock { $0 } }
        func set(_ value: CapturedTokens) { kept.withLock { $0 = value } }
    }
}
