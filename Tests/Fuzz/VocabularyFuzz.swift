// Part of Rollcall. SPDX-License-Identifier: Apache-2.0

import EvalProtocol
import WireJSON

/// What is read of the wire's objects can be written, read again, and is the same from then on.
enum VocabularyFuzz: FuzzTarget {
    static let name = "vocabulary"

    static let seeds = [
        #"{"model":"m","completion_params":{"model":"m","temperature":0.5},"messages":[{"role":"user","content":[{"type":"text","text":"a"}]}],"tools":[],"model_base_url":"http://h/v1","metadata":{"invocation_id":"i","experiment_id":"e","rollout_id":"r","run_id":"u","row_id":"w","attempt":"a"},"api_key":"k"}"#,
        #"{"messages":[{"role":"assistant","content":null,"tool_calls":[{"id":"t","type":"function","function":{"name":"f","arguments":"{}"}}]}],"input_metadata":{"row_id":"w"},"execution_metadata":{"rollout_id":"r"},"rollout_status":{"code":100,"message":"","details":[]},"created_at":"2026-01-31T12:00:00Z"}"#,
        #"{"id":"c","model":"m","choices":[{"index":0,"message":{"role":"assistant","content":"a"},"finish_reason":"stop"}],"usage":{"prompt_tokens":1,"completion_tokens":2,"total_tokens":3}}"#,
        #"{"id":"t","tags":["rollout_id:r"],"input":{"messages":[]},"output":"x","observations":[]}"#,
        #"{"program":"eval_protocol","message":"m","tags":["rollout_id:r"],"status":{"code":13,"message":"m","details":[{"@type":"type.googleapis.com/google.rpc.ErrorInfo","reason":"R","domain":"d","metadata":{"a":"b"}}]},"extras":{"level":"INFO"}}"#,
        #"{"error":{"message":"m","type":"t","param":null,"code":"c"}}"#,
    ].map { Array($0.utf8) }

    static func run(_ input: [UInt8]) {
        guard let value = try? JSONValue(parsing: input) else { return }
        check(InitRequest.self, value)
        check(EvaluationRow.self, value)
        check(Completion.self, value)
        check(Trace.self, value)
        check(LogLine.self, value)
        check(Status.self, value)
        check(GatewayError.self, value)
        check(TracePayload.self, value)
    }

    private static func check<T: JSONConvertible & Equatable>(_: T.Type, _ value: JSONValue) {
        guard let first = try? T(from: JSONReader(value)) else { return }
        guard let second = try? T(from: JSONReader(first.json)) else { fatalError("\(T.self) cannot be read again") }
        require((try? T(from: JSONReader(second.json))) == second, "\(T.self) is the same once written and read")
    }
}
