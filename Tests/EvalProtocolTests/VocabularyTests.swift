// Part of Rollcall. SPDX-License-Identifier: Apache-2.0

import EvalProtocol
import Testing
import WireJSON

@Suite("EvalProtocol: vocabulary")
struct VocabularyTests {
    private func roundTrip<T: JSONConvertible & Equatable>(_ type: T.Type, _ text: String) throws {
        let value = try T(parsing: Array(text.utf8))
        #expect(value.json.description == text)
        #expect(try T(parsing: value.serialized()) == value)
    }

    @Test("every type comes back with the fields it does not know")
    func unknownFields() throws {
        try roundTrip(
            Message.self,
            #"{"role":"user","content":"a","name":"n","tool_call_id":"t","tool_calls":[{"id":"c","type":"function","function":{"name":"f","arguments":"{}"},"index":0}],"weight":null,"z":1.0}"#
        )
        try roundTrip(
            Message.self, #"{"role":"user","content":[{"type":"text","text":"a","x":1},{"type":"video","y":[]}]}"#)
        try roundTrip(
            RolloutMetadata.self,
            #"{"invocation_id":"i","experiment_id":"e","rollout_id":"r","run_id":"n","row_id":"w","attempt":"a","deadline_seconds":5,"x":null}"#
        )
        try roundTrip(CompletionParameters.self, #"{"model":"m","temperature":1.0,"base_url":null}"#)
        try roundTrip(
            InitRequest.self,
            #"{"completion_params":{"model":"m"},"messages":[],"tools":[{}],"model_base_url":"u","metadata":{"invocation_id":"i","experiment_id":"e","rollout_id":"r","run_id":"n","row_id":"w"},"api_key":"k","x":1}"#
        )
        try roundTrip(Status.self, #"{"code":100,"message":"m","details":[{"@type":"t","x":1.0}]}"#)
        try roundTrip(
            InputMetadata.self,
            #"{"row_id":"w","completion_params":{},"dataset_info":null,"session_data":{"a":1},"x":2}"#)
        try roundTrip(
            ExecutionMetadata.self,
            #"{"invocation_id":"i","experiment_id":"e","rollout_id":"r","run_id":null,"usage":{"prompt_tokens":1,"completion_tokens":2,"total_tokens":3},"rollout_duration_seconds":1.5,"finish_reason":"stop","tool_call_count":2,"extra":{},"cost_metrics":null}"#
        )
        try roundTrip(
            EvaluationRow.self,
            #"{"messages":[{"role":"user","content":"a"}],"tools":null,"input_metadata":{"row_id":null,"completion_params":{},"dataset_info":null,"session_data":null},"rollout_status":{"code":101,"message":"Rollout is running","details":[]},"ground_truth":{"a":[1]},"execution_metadata":{"run_id":null,"usage":null,"rollout_duration_seconds":null,"extra":null},"evaluation_result":null,"new":1e400}"#
        )
        try roundTrip(
            LogLine.self,
            #"{"program":"p","status":{"code":101,"message":"","details":[]},"message":"m","tags":["rollout_id:r"],"extras":{"a":1.0}}"#
        )
        try roundTrip(
            ErrorInfo.self,
            #"{"@type":"type.googleapis.com/google.rpc.ErrorInfo","reason":"R","domain":"d","metadata":{"a":1}}"#)
    }

    @Test("a tool call goes out as it came in, in whatever order, and with a type where it had none")
    func toolCalls() throws {
        let text = #"{"id":"c","function":{"arguments":"{}","strict":true,"name":"f"},"type":"function","index":0}"#
        try roundTrip(ToolCall.self, text)
        var call = try ToolCall(parsing: Array(text.utf8))
        #expect(call == ToolCall(id: "c", name: "f", arguments: "{}", additional: ["index": 0]))
        #expect(Set([call, ToolCall(id: "c", name: "f", arguments: "{}", additional: ["index": 0])]).count == 1)
        #expect(call != ToolCall(id: "c", name: "f", arguments: "{ }", additional: ["index": 0]))
        call.arguments = "[]"
        call.name = "g"
        let changed = #"{"id":"c","function":{"arguments":"[]","strict":true,"name":"g"},"type":"function","index":0}"#
        #expect(call.json.description == changed)
        let untyped = try ToolCall(parsing: Array(#"{"id":"c","function":{"name":"f","arguments":"{}"}}"#.utf8))
        #expect(untyped.json["type"] == "function")
    }

    private func message<T: JSONConvertible>(_ type: T.Type, _ text: String) throws -> String {
        do {
            _ = try T(parsing: Array(text.utf8))
            return "no error"
        } catch let error as JSONDecodingError {
            return error.description
        }
    }

    @Test("errors say where, what was found, and what is allowed")
    func errors() throws {
        #expect(
            try message(Message.self, #"{"role":""}"#) == #"role: expected a non-empty string, found the string """#)
        #expect(
            try message(Message.self, #"{"role":"user","content":7}"#)
                == "content: expected a string, null, or an array of content parts, found the number 7")
        #expect(
            try message(
                InitRequest.self,
                #"{"completion_params":{"model":"m"},"messages":[{"role":"a"},{"role":"b","content":[{"type":"text"}]}],"metadata":{}}"#
            )
                == "messages[1].content[0].text: expected a string, found nothing")
        #expect(
            try message(InitRequest.self, #"{"completion_params":{},"metadata":{}}"#)
                == "completion_params.model: expected a non-empty string, found nothing")
        #expect(
            try message(
                RolloutMetadata.self,
                #"{"invocation_id":"i","experiment_id":"e","rollout_id":"r","run_id":"n","row_id":"w","attempt":"a b"}"#
            )
                == #"attempt: expected 1 to 64 characters of A-Z, a-z, 0-9, '.', '_' and '-', found the string "a b""#)
        #expect(
            try message(Status.self, #"{"code":17}"#)
                == "code: expected one of the codes 0 to 16 and 100 to 103, found the number 17")
        #expect(try message(Status.self, "[]") == "the document: expected an object, found an array of 0")
    }

    @Test("a log line's status without a code counts as none")
    func statusWithoutCode() throws {
        let line = try LogLine(
            parsing: Array(#"{"status":{"code":null,"message":null},"message":"m","tags":[],"extras":null}"#.utf8))
        #expect(line.status == nil && line.program == "eval_protocol" && line.extras.isEmpty)
        #expect(try LogLine(parsing: Array(#"{"message":"m","status":{"code":55}}"#.utf8)).status == nil)
    }

    @Test("an attempt is 1 to 64 plain characters")
    func attempts() {
        for good in ["a", "A.b_c-9", String(repeating: "x", count: 64), "."] { #expect(AttemptID(good) != nil) }
        for bad in ["", " ", "a/b", "é", String(repeating: "x", count: 65), "a\n"] { #expect(AttemptID(bad) == nil) }
        #expect(AttemptID(AttemptID.random().description) != nil)
        #expect(Set((0..<100).map { _ in AttemptID.random() }).count == 100)
    }

    @Test("details of a status are found again")
    func details() {
        let status = Status.finished("done", reason: .maxSteps, info: ["k": 1])
        #expect(status.terminationReason == .maxSteps)
        #expect(status.extraInfo == ["k": 1])
        #expect(Status.running.terminationReason == nil)
    }

    @Test("a key never shows")
    func redaction() throws {
        var request = InitRequest(
            completionParameters: CompletionParameters(model: "m"), messages: [],
            metadata: RolloutMetadata(invocationID: "i", experimentID: "e", rolloutID: "r", runID: "n", rowID: "w"))
        request.apiKey = "secret"
        #expect(!"\(request)".contains("secret") && !String(reflecting: request).contains("secret"))
        #expect(request.json["api_key"] == "secret")
    }

    @Test("metadata that was copied and changed leaves the original as it was") func copiesOfMetadata() {
        let original = RolloutMetadata(
            invocationID: "i", experimentID: "e", rolloutID: "r", runID: "n", rowID: "w", additional: ["x": 1])
        var changed = original
        #expect(changed == original && changed.hashValue == original.hashValue)
        changed.rolloutID = "another"
        changed.attempt = AttemptID("a")
        changed.additional.append("y", 2)
        #expect(original.rolloutID == "r" && original.attempt == nil && original.additional == ["x": 1])
        #expect(changed.rolloutID == "another" && changed.attempt == AttemptID("a") && changed != original)
        changed.rolloutID = "r"
        changed.attempt = nil
        changed.additional = ["x": 1]
        #expect(changed == original && changed.hashValue == original.hashValue)
    }
}
