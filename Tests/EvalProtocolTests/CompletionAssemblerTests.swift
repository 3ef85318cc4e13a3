// Part of Rollcall. SPDX-License-Identifier: Apache-2.0

import EvalProtocol
import Testing
import WireJSON

@Suite("EvalProtocol: completion assembler")
struct CompletionAssemblerTests {
    private func assemble(_ chunks: String...) throws -> (JSONValue?, finished: Int) {
        var assembler = CompletionAssembler()
        for chunk in chunks { try assembler.add(Array(chunk.utf8)) }
        return (assembler.completion, assembler.finishedChoices())
    }

    @Test("text, usage-only last chunk and unknown fields")
    func text() throws {
        let (completion, finished) = try assemble(
            #"{"id":"c","object":"chat.completion.chunk","created":1,"model":"m","choices":[{"index":0,"delta":{"role":"assistant","content":""},"finish_reason":null}],"usage":null,"prompt_token_ids":[1,2]}"#,
            #"{"id":"c","object":"chat.completion.chunk","created":1,"model":"m","choices":[{"index":0,"delta":{"content":"Hé"},"finish_reason":""}]}"#,
            #"{"id":"c","choices":[{"index":0,"delta":{"role":"assistant","content":"llo","reasoning_content":"th"}}]}"#,
            #"{"id":"c","choices":[{"index":0,"delta":{"reasoning_content":"ink"},"finish_reason":"stop","stop_reason":7}]}"#,
            #"{"id":"c","object":"chat.completion.chunk","choices":[],"usage":{"prompt_tokens":3},"x":1.0}"#)
        #expect(finished == 1)
        #expect(
            completion?.description
                == #"{"id":"c","object":"chat.completion","created":1,"model":"m","usage":{"prompt_tokens":3},"prompt_token_ids":[1,2],"x":1.0,"choices":[{"index":0,"message":{"role":"assistant","content":"Héllo","reasoning_content":"think"},"stop_reason":7,"finish_reason":"stop"}]}"#
        )
    }

    @Test("nothing before the first choice, and refusal of what is no chunk")
    func nothing() throws {
        #expect(try assemble().0 == nil)
        #expect(try assemble(#"{"choices":[]}"#, #"{"usage":{}}"#).0 == nil)
        for bad in ["", "[]", "{", #"{"choices":{}}"#, #"{"choices":[1]}"#] {
            #expect(throws: (any Error).self) { try assemble(bad) }
        }
    }

    @Test("several choices, each with its own end")
    func choices() throws {
        let (completion, finished) = try assemble(
            #"{"choices":[{"index":1,"delta":{"content":"b"}}]}"#,
            #"{"choices":[{"index":0,"delta":{"content":"a"}}]}"#,
            #"{"choices":[{"index":1,"delta":{"content":"B"},"finish_reason":"length"},{"index":0,"delta":{"content":"A"}}]}"#
        )
        #expect(finished == 1)
        #expect(completion?["choices"]?[0]?["message"]?["content"] == "aA")
        #expect(completion?["choices"]?[1]?["message"]?["content"] == "bB")
        #expect(completion?["choices"]?[0]?["finish_reason"] == .null)
    }

    private func toolCalls(_ deltas: String...) throws -> String? {
        var assembler = CompletionAssembler()
        for delta in deltas {
            try assembler.add(Array(#"{"choices":[{"index":0,"delta":{"tool_calls":\#(delta)}}]}"#.utf8))
        }
        return assembler.completion?["choices"]?[0]?["message"]?["tool_calls"]?.description
    }

    @Test("tool calls are merged by index: id and name once, arguments joined")
    func toolCalls() throws {
        #expect(
            try toolCalls(
                #"[{"index":0,"id":"x","type":"function","function":{"name":"f","arguments":""}}]"#,
                #"[{"index":0,"function":{"arguments":"{\"a\""}}]"#,
                #"[{"index":1,"id":"y","type":"function","function":{"name":"g","arguments":"{"}},{"index":0,"id":"x","function":{"name":"f","arguments":":1}"}}]"#,
                #"[{"index":1,"id":null,"function":{"name":null,"arguments":"}"}}]"#)
                == #"[{"id":"x","type":"function","function":{"name":"f","arguments":"{\"a\":1}"}},{"id":"y","type":"function","function":{"name":"g","arguments":"{}"}}]"#
        )
        // All with index 0, an id made up for each chunk, and no index at all.
        #expect(
            try toolCalls(
                #"[{"index":0,"id":"x","function":{"name":"f","arguments":"{}"}}]"#,
                #"[{"index":0,"id":"y","function":{"name":"g","arguments":"[]"}}]"#)
                == #"[{"id":"x","function":{"name":"f","arguments":"{}"}},{"id":"y","function":{"name":"g","arguments":"[]"}}]"#
        )
        #expect(
            try toolCalls(
                #"[{"index":0,"id":"x","function":{"name":"f","arguments":"{"}}]"#,
                #"[{"index":0,"id":"z","function":{"arguments":"}"}}]"#)
                == #"[{"id":"x","function":{"name":"f","arguments":"{}"}}]"#)
        #expect(
            try toolCalls(
                #"[{"id":"x","function":{"name":"f","arguments":"{"}}]"#, #"[{"function":{"arguments":"}"}}]"#,
                #"[{"id":"y","function":{"name":"g","arguments":""}}]"#)
                == #"[{"id":"x","function":{"name":"f","arguments":"{}"}},{"id":"y","function":{"name":"g","arguments":""}}]"#
        )
    }

    @Test("log probabilities and token ids are joined, halves of a character too")
    func logprobs() throws {
        let (completion, _) = try assemble(
            #"{"choices":[{"index":0,"delta":{"content":"\ud83d"},"logprobs":{"content":[{"logprob":-0.10}],"refusal":null},"token_ids":[1]}]}"#,
            #"{"choices":[{"index":0,"delta":{"content":"\ude00"},"logprobs":null,"token_ids":[2,3]}]}"#,
            #"{"choices":[{"index":0,"delta":{},"logprobs":{"content":[{"logprob":-1}]},"finish_reason":"stop"}]}"#)
        #expect(
            completion?["choices"]?.description
                == #"[{"index":0,"message":{"content":"😀","role":"assistant"},"logprobs":{"content":[{"logprob":-0.10},{"logprob":-1}],"refusal":null},"token_ids":[1,2,3],"finish_reason":"stop"}]"#
        )
    }

    @Test("content in parts, and whole messages at the end")
    func otherShapes() throws {
        let (parts, _) = try assemble(
            #"{"choices":[{"delta":{"content":[{"type":"thinking"}]}}]}"#, #"{"choices":[{"delta":{"content":"a"}}]}"#)
        #expect(
            parts?["choices"]?[0]?["message"]?["content"] == [["type": "thinking"], ["type": "text", "text": "a"]])
        let (whole, _) = try assemble(
            #"{"choices":[{"delta":{"content":"a"}}]}"#,
            #"{"choices":[{"message":{"role":"assistant","content":"a"},"finish_reason":"stop"}]}"#)
        #expect(whole?["choices"]?[0]?["message"]?["content"] == "a")
        #expect(whole?["choices"]?[0]?["message"]?["role"] == "assistant")
    }

    @Test("time grows with the length of the answer, not with its square")
    func growth() throws {
        func duration(_ chunks: Int) throws -> Duration {
            var assembler = CompletionAssembler()
            let text = String(repeating: "x", count: 4_000)
            let chunk = Array(#"{"choices":[{"index":0,"delta":{"content":"\#(text)"}}]}"#.utf8)
            let start = ContinuousClock.now
            for _ in 0..<chunks { try assembler.add(chunk) }
            return ContinuousClock.now - start
        }
        let short = try duration(300)
        let long = try duration(3_000)
        #expect(long < short * 30 + .seconds(1), "\(short) for 300 chunks, \(long) for 3,000")
    }
}
