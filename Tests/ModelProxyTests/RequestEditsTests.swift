// Part of Rollcall. SPDX-License-Identifier: Apache-2.0

import ModelProxy
import Testing
import WireJSON

@Suite("ModelProxy: what is changed in a request")
struct RequestEditsTests {
    struct Case: Sendable {
        var body: String
        var expected: String
        var edits: [String]

        init(_ body: String, _ expected: String? = nil, _ edits: String...) {
            self.body = body
            self.expected = expected ?? body
            self.edits = edits
        }
    }

    @Test(
        "nulls and foreign fields leave messages, a prefix leaves the model, and no other byte changes",
        arguments: [
            Case(#"{ "messages" : [ { "role":"user", "content":"a null" } ] }"#),
            Case(#"{"messages":[{"content":null}]}"#), Case(#"{"messages":[]}"#), Case(#"{"messages":"null"}"#),
            Case(#"{"x":null}"#),
            Case(
                #"{"messages":[{"role":"user","name":null,"content":"a"}]}"#,
                #"{"messages":[{"role":"user","content":"a"}]}"#, "message-nulls"),
            Case(#"{"messages":[{"name":null}]}"#, #"{"messages":[{}]}"#, "message-nulls"),
            Case(
                #"{"messages":[{"a":null,"b":null,"content":null,"c":{"d":null}}]}"#,
                #"{"messages":[{"content":null,"c":{"d":null}}]}"#, "message-nulls"),
            Case(
                #"{"messages":[{"weight":0}, {"logprobs":[1],"role":"user"}]}"#, #"{"messages":[{}, {"role":"user"}]}"#,
                "message-fields"),
            Case(
                #"{"messages":[{"control_plane_step":{"a":1},"role":"u"}]}"#, #"{"messages":[{"role":"u"}]}"#,
                "message-fields"),
            Case(
                #"{"messages":[{"role":null,"role":"user","n\u0061me":1,"name":null,"x":2}]}"#,
                #"{"messages":[{"role":"user","n\u0061me":1,"x":2}]}"#, "message-nulls"),
            Case(#"{"messages":[{"content":"\"weight"}]}"#), Case(#"{"logprobs":true,"weight":null}"#),
            Case(#"{"model":"fireworks_ai/a/b"}"#, #"{"model":"a/b"}"#, "model-prefix"),
            Case(#"{"model":"x/fireworks_ai/a"}"#), Case(#"{"model":null}"#),
            Case(#"{"model":"fireworks_ai/old","model":"new"}"#),
        ])
    func body(_ example: Case) throws {
        let body = Array(example.body.utf8)
        let result = RequestEdits.body(body, fields: try JSONFields(of: body.span))
        #expect(String(decoding: result.bytes, as: UTF8.self) == example.expected)
        #expect(result.edits == example.edits)
    }

    // They are looked for 16 bytes at a time.
    @Test(
        "what leaves messages is found wherever it stands",
        arguments: ["name\":null", "weight\":1", "logprobs\":[]", "control_plane_step\":0"])
    func places(field: String) throws {
        for before in 0...40 {
            for after in [0, 1, 30] {
                let head = #"{"messages":[{"content":"\#(String(repeating: "n", count: before))""#
                let tail = #"}\#(String(repeating: " ", count: after))]}"#
                let body = Array((head + ",\"" + field + tail).utf8)
                let result = RequestEdits.body(body, fields: try JSONFields(of: body.span))
                #expect(String(decoding: result.bytes, as: UTF8.self) == head + tail)
            }
        }
    }
}
