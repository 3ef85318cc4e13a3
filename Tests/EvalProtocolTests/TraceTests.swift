// Part of Rollcall. SPDX-License-Identifier: Apache-2.0

import EvalProtocol
import Testing
import WireJSON

@Suite("EvalProtocol: traces")
struct TraceTests {
    private func messages(_ trace: String) throws -> [String] {
        try Trace(parsing: Array(trace.utf8)).messages.map { "\($0.role):\($0.text)" }
    }

    @Test("input and output become messages by the contract's table")
    func table() throws {
        #expect(
            try messages(
                #"{"input":{"messages":[{"role":"user","content":"a"}]},"output":{"role":"assistant","content":"b"}}"#)
                == ["user:a", "assistant:b"])
        #expect(try messages(#"{"input":{"prompt":"p"},"output":{"content":"c"}}"#) == ["user:p", "assistant:c"])
        #expect(try messages(#"{"input":"x","output":"y"}"#) == ["user:x", "user:y"])
        #expect(
            try messages(#"{"input":[{"role":"user","content":"a"},7,null],"output":{"choices":[]}}"#) == [
                "user:a", "assistant:",
            ])
        #expect(try messages(#"{"input":null,"output":""}"#) == [])
        #expect(
            try messages(
                #"{"input":{},"observations":[{"type":"GENERATION","start_time":"2","input":"new"},{"type":"GENERATION","start_time":"1","input":"old"},{"type":"SPAN","start_time":"3","input":"no"}]}"#
            )
                == ["user:new"])
    }

    @Test("a trace keeps what it came with")
    func fields() throws {
        let text =
            #"{"id":"t","tags":["rollout_id:a:b","x:1"],"timestamp":"2026","input":{"messages":[],"tools":[{"type":"function"},1]},"output":{"role":"assistant","content":"b"},"metadata":{"k":1.0},"payloads":{"logprobs":{"manifest":{"PayloadVersion":"lp/v1"},"data":"KLUv"},"bad":7,"none":{"data":""}},"new":null}"#
        let trace = try Trace(parsing: Array(text.utf8))
        #expect(trace.id == "t" && trace.tag("rollout_id") == "a:b" && trace.tag("y") == nil)
        #expect(trace.tools == [["type": "function"]] && trace.outputMessage?.text == "b")
        #expect(trace.payloads.keys.sorted() == ["logprobs"])
        #expect(trace.metadata == ["k": 1.0])
        #expect(trace.json.description == text)
    }

    @Test(
        "messages are repaired until the client's model takes them, and left alone if it does already",
        arguments: [
            (#"{"role":"user","content":"a","x":1}"#, #"{"role":"user","content":"a","x":1}"#),
            (#"{"content":null,"role":null}"#, #"{"content":null,"role":"assistant"}"#),
            (
                #"{"role":"user","content":[{"type":"text","text":"a","x":1},{"type":"image_url","image_url":{"url":"u"}}]}"#,
                #"{"role":"user","content":[{"type":"text","text":"a","x":1},{"type":"image_url","image_url":{"url":"u"}}]}"#
            ),
            (
                #"{"role":"user","content":[{"type":"image_url","image_url":"u"},{"type":"input_audio","input_audio":{}},{"type":"refusal","refusal":"no"},{"type":"output_text","text":"t"},"s",7]}"#,
                #"{"role":"user","content":[{"type":"image_url","image_url":{"url":"u"}},{"type":"text","text":"[input_audio]"},{"type":"text","text":"no"},{"type":"text","text":"t"},{"type":"text","text":"s"},{"type":"text","text":"7"}]}"#
            ),
            (
                #"{"role":"user","content":{"type":"text","text":"a"},"name":7,"tool_call_id":{}}"#,
                #"{"role":"user","content":[{"type":"text","text":"a"}],"name":"7","tool_call_id":null}"#
            ),
            (
                #"{"role":"assistant","tool_calls":[{"function":{"name":"f","arguments":{"a":1}}},{"index":1,"id":"","type":null,"function":{"name":"g"}},7]}"#,
                #"{"role":"assistant","tool_calls":[{"function":{"name":"f","arguments":"{\"a\":1}"},"id":"call_0","type":"function"},{"index":1,"id":"call_1","type":"function","function":{"name":"g","arguments":"{}"}}]}"#
            ),
            (
                #"{"role":"assistant","tool_calls":[{"id":"c","type":"custom","custom":{"name":"n","input":"i"}}]}"#,
                #"{"role":"assistant","tool_calls":[{"id":"c","type":"function","custom":{"name":"n","input":"i"},"function":{"name":"n","arguments":"i"}}]}"#
            ),
            (
                #"{"role":"assistant","tool_calls":"x","function_call":{"name":"f","arguments":null}}"#,
                #"{"role":"assistant","tool_calls":null,"function_call":{"name":"f","arguments":"{}"}}"#
            ),
            (#"[1]"#, #"[1]"#),
        ])
    func repair(_ before: String, _ after: String) throws {
        let repaired = MessageRepair.repaired(try JSONValue(parsing: before))
        #expect(repaired.description == after)
        #expect(MessageRepair.repaired(repaired) == repaired)
        if repaired.object != nil { #expect(throws: Never.self) { try Message(from: JSONReader(repaired)) } }
    }

    @Test("a completion of a sloppy server still gives its message")
    func completion() throws {
        let text =
            #"{"id":"c","model":"m","choices":[{"index":1,"message":{"role":"assistant","content":"b"},"finish_reason":null},{"index":0,"message":{"tool_calls":[{"function":{"name":"f","arguments":{}}}]},"finish_reason":"tool_calls","logprobs":null}],"usage":{"prompt_tokens":1,"completion_tokens":2,"total_tokens":3},"object":"chat.completion"}"#
        let completion = try Completion(parsing: Array(text.utf8))
        #expect(completion.message.toolCalls == [ToolCall(id: "call_0", name: "f", arguments: "{}")])
        #expect(completion.usage?.totalTokens == 3)
        #expect(completion.additional == ["object": "chat.completion"])
        #expect(completion.choices[1].additional == ["logprobs": nil])
        #expect(try Completion(parsing: completion.serialized()) == completion)
        #expect(throws: JSONDecodingError.self) { try Completion(parsing: Array(#"{"choices":[]}"#.utf8)) }
    }

    @Test("errors of gateways and of model servers are read in all their forms")
    func errors() throws {
        let error = GatewayError(message: "No.", type: "server_error", param: nil, code: "not_recorded")
        #expect(
            error.json.description
                == #"{"error":{"message":"No.","type":"server_error","param":null,"code":"not_recorded"},"detail":"No."}"#
        )
        #expect(try GatewayError(parsing: error.serialized()).json == error.json)
        #expect(try GatewayError(parsing: Array(#"{"detail":"x"}"#.utf8)).message == "x")
        #expect(try GatewayError(parsing: Array(#"{"error":"x"}"#.utf8)).message == "x")
        #expect(try GatewayError(parsing: Array(#"{"error":{"message":"x","code":429}}"#.utf8)).code == "429")
        #expect(try GatewayError(parsing: Array(#"{"detail":[{"loc":1}]}"#.utf8)).message == #"[{"loc":1}]"#)
        #expect(throws: JSONDecodingError.self) { try GatewayError(parsing: Array("{}".utf8)) }
    }
}
