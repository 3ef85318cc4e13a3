// Part of Rollcall. SPDX-License-Identifier: Apache-2.0

import EvalProtocol
import RolloutProcessor
import Testing
import WireJSON

@Suite("RolloutProcessor: the body of /init")
struct InitRequestTests {
    private let metadata = RolloutMetadata(
        invocationID: "i", experimentID: "e", rolloutID: "r", runID: "u", rowID: "Human Eval/1",
        attempt: AttemptID("a1"))

    private func body(_ row: EvaluationRow, _ parameters: CompletionParameters) -> JSONValue {
        let parameters = InitRequestBuilder.parameters(parameters, row: row)
        return InitRequestBuilder.request(
            row: row, parameters: parameters, metadata: metadata, gatewayURL: "http://127.0.0.1:9", apiKey: nil
        ).json
    }

    private func holdsNull(_ value: JSONValue) -> Bool {
        switch value {
        case .null: true
        case .array(let elements): elements.contains(where: holdsNull)
        case .object(let object): object.members.contains { holdsNull($0.value) }
        default: false
        }
    }

    @Test("no null and nothing that only Eval Protocol knows is sent")
    func noNulls() throws {
        let row = try EvaluationRow(
            parsing: Array(
                #"""
                {"messages": [{"role": "user", "content": "hi", "name": null, "weight": 1, "logprobs": null,
                "reasoning_content": null, "control_plane_step": {}}, {"role": "assistant", "content": null,
                "tool_calls": [{"id": "c", "type": "function", "function": {"name": "f", "arguments": "{}"}}]}],
                "input_metadata": {"completion_params": {"temperature": 0.5, "top_p": null, "max_tokens": 9}}}
                """#.utf8))
        let body = body(row, CompletionParameters(model: "m", additional: ["max_tokens": 5, "stop": nil]))
        #expect(!holdsNull(body))
        #expect(body["messages"]?[0] == ["role": "user", "content": "hi"])
        #expect(body["messages"]?[1]?["content"] == "")
        #expect(body["completion_params"]?["temperature"] == 0.5)
        #expect(body["completion_params"]?["max_tokens"] == 5)
        #expect(body["tools"] == nil)
        #expect(body["api_key"] == nil)
    }

    @Test("any gateway's URL is tagged, with the attempt and the model's URL")
    func tagged() throws {
        let row = EvaluationRow(messages: [.user("hi")])
        let body = body(row, CompletionParameters(model: "m", additional: ["base_url": "http://up/v1"]))
        let url = try #require(body["model_base_url"]?.string)
        #expect(url.hasPrefix("http://127.0.0.1:9/attempt/a1/rollout_id/r/"))
        #expect(url.contains("/encoded_base_url/"))
        #expect(TaggedURL(url)?.metadata.rowID == "Human Eval/1")
        #expect(body["metadata"]?["attempt"] == "a1")
    }

    @Test(
        "a model of an account names its provider",
        arguments: [
            ("accounts/x/models/y", "fireworks_ai/accounts/x/models/y"),
            ("accounts/x/deployments/y", "fireworks_ai/accounts/x/deployments/y"),
            ("openai/gpt", "openai/gpt"), ("accounts/x/models", "accounts/x/models"),
        ])
    func modelNames(_ given: String, _ sent: String) {
        let row = EvaluationRow(messages: [.user("hi")])
        #expect(body(row, CompletionParameters(model: given))["completion_params"]?["model"]?.string == sent)
    }
}
