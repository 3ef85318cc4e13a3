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

/// What the servers are asked for and answer, and what is to come of it.
extension CaptureTests {
    // MARK: vLLM

    static let vllmAsked = #""logprobs":true,"top_logprobs":0,"return_token_ids":true"#
    static let vllm: [Case] = [
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
    static let numpy: String = {
        let header = "{'descr': '<i4', 'fortran_order': False, 'shape': (4, 1, 2), }\n"
        var file: [UInt8] = [0x93] + Array("NUMPY".utf8) + [1, 0, UInt8(header.utf8.count), 0] + Array(header.utf8)
        for expert in UInt8(1)...8 { file += [expert, 0, 0, 0] }
        return Base64.encoded(file)
    }()

    // MARK: SGLang

    static let sglang: [Case] = [
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
    static let experts: String = {
        var bytes: [UInt8] = []
        for expert in [1, 2, 3, 4, 300, 6, 7, 8] as [Int32] {
            bytes += (0..<4).map { UInt8(truncatingIfNeeded: expert >> ($0 * 8)) }
        }
        return Base64.encoded(bytes)
    }()

    // MARK: llama.cpp

    static let llamaPrompt = "servers of the profile llamacpp do not give the token ids of prompts"
    static let llama: [Case] = [
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

    static let fireworks: [Case] = [
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

    static func matrix(_ experts: [UInt8]?, _ id: Int) -> String {
        #","token_id":\#(id)"# + (experts.map { #","routing_matrix":"\#(Base64.encoded($0))""# } ?? "")
    }

    // MARK: OpenAI

    static let entries = "[\(entry("a", "-0.5")), \(entry("b", "-1.25"))]"
    static let openai: [Case] = [
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
}
