// Part of Rollcall. SPDX-License-Identifier: Apache-2.0

import EvalProtocol
import NIOHTTP1
import TestSupport
import Testing
import TraceStore
import TracingGateway
import WireJSON

@Suite("TracingGateway: traces") struct TraceTests {
    private func traces(_ gateway: GatewayFixture, _ query: String) async throws -> [JSONValue] {
        let response = try await gateway.get("/v1/traces/pointwise?\(query)")
        #expect(response.status == 200, "\(response.text)")
        return response.json["traces"]?.array ?? []
    }

    @Test("a trace has the contract's shape") func shape() async throws {
        try await GatewayFixture.with { gateway in
            let messages: JSONValue = [["role": "user", "content": "what is 1+1?"]]
            let tool: JSONValue = ["type": "function", "function": ["name": "add", "parameters": ["b": 1, "a": 2]]]
            let id = try await gateway.record("r", messages: messages, more: ["tools": [tool], "api_key": "sk-secret"])
            let response = try await gateway.get("/v1/traces/pointwise?tags=rollout_id:r")
            #expect(response.json["project_id"]?.string == "default")
            #expect(response.json["total_traces"]?.int == 1)
            let trace = response.json["traces"]?[0] ?? .null
            #expect(trace["id"]?.string == String(id))
            #expect(trace["name"]?.string == "chat-completion")
            let tags = trace["tags"]?.array?.compactMap(\.string) ?? []
            for tag in ["rollout_id:r", "invocation_id:i1", "experiment_id:e1", "run_id:r1", "row_id:row1"] {
                #expect(tags.contains(tag))
            }
            #expect(tags.contains { $0.hasPrefix("insertion_id:") })
            #expect(trace["input"]?["messages"] == messages)
            #expect(trace["input"]?["tools"] == [tool])
            #expect(trace["output"] == ["role": "assistant", "content": "hello"])
            #expect(trace["observations"]?[0]?["type"]?.string == "GENERATION")
            #expect(trace["payloads"] == nil)
            let metadata = trace["metadata"]
            #expect(metadata?["requested_model"]?.string == "m")
            #expect(metadata?["choices"]?[0]?["finish_reason"]?.string == "stop")
            #expect(metadata?["capture"]?.string == "none")
            #expect(metadata?["request"]?.string?.hasPrefix(#"{"model":"m","messages":["#) == true)
            #expect(!response.text.contains("sk-secret"))
        }
    }

    @Test("a trace tells the request as it was sent, its edits, models, attempt, parent, choices, usage and times")
    func everything() async throws {
        let answer: JSONValue = [
            "id": "c", "object": "chat.completion", "model": "answered", "system_fingerprint": "fp",
            "choices": [
                ["index": 0, "message": ["role": "assistant", "content": "a"], "finish_reason": "stop"],
                ["index": 1, "message": ["role": "assistant", "content": "b"], "finish_reason": "length"],
            ],
            "usage": ["prompt_tokens": 3, "completion_tokens": 2, "total_tokens": 5],
        ]
        try await ScriptedHTTPServer.with({ _ in .json(answer, headers: ["x-policy-version": "41"]) }) { upstream in
            try await GatewayFixture.with(upstream: upstream.url + "/v1") { gateway in
                let path = "/attempt/a1/rollout_id/r/invocation_id/i/experiment_id/e/run_id/u/row_id/w/chat/completions"
                let first = #"{"model":"m","n":2,"messages":[{"role":"user","content":"hi"}]}"#
                let second =
                    #"{ "n":2,"model":"fireworks_ai/m", "messages":[{"role":"user","content":"hi"},"#
                    + #"{"role":"assistant","content":"a"}, {"role":"user","content":"more","name":null}],"x":1.50}"#
                var ids: [String?] = []
                for body in [first, second] {
                    let response = try await gateway.post(path, body)
                    #expect(response.status == 200)
                    ids.append(response.header("x-rollcall-request-id"))
                }
                let found = try await traces(gateway, "tags=rollout_id:r")
                let trace = try #require(found.first)
                let metadata = trace["metadata"]
                #expect(metadata?["request"]?.string == second)
                let edits = metadata?["edits"]?.array?.compactMap(\.string) ?? []
                #expect(Set(edits).isSuperset(of: ["model-prefix", "message-nulls"]))
                #expect(metadata?["upstream"]?.string == upstream.url + "/v1/chat/completions")
                for (key, expected) in [
                    ("requested_model", "fireworks_ai/m"), ("answered_model", "answered"),
                    ("system_fingerprint", "fp"), ("policy_version", "41"), ("attempt", "a1"),
                    ("finish_reason", "stop"), ("capture", "none"), ("request_id", ids[1]),
                ] as [(String, String?)] {
                    #expect(metadata?[key]?.string == expected, "\(key)")
                }
                #expect(metadata?["parent"]?.string == found.last?["id"]?.string)
                #expect(found.last?["metadata"]?["parent"] == .null)
                #expect(metadata?["attempt_number"]?.int == 1 && metadata?["streamed"]?.bool == false)
                #expect(metadata?["choices"] == answer["choices"])
                #expect(metadata?["usage"]?["completion_tokens"]?.int == 2)
                let begins = try #require(metadata?["microseconds_to_first_byte"]?.int)
                let ends = try #require(metadata?["microseconds_to_end"]?.int)
                #expect(begins > 0 && begins <= ends)
            }
        }
    }

    @Test("every route serves, and the project is echoed and no filter") func routes() async throws {
        try await GatewayFixture.with { gateway in
            try await gateway.record("r")
            for route in BadInputTests.traceRoutes {
                let response = try await gateway.get(route.replacing("/p/", with: "/my%20p/") + "?tags=rollout_id:r")
                #expect(response.json["traces"]?.array?.count == 1, "\(route)")
                #expect(response.json["project_id"]?.string == (route.contains("project_id") ? "my p" : "default"))
            }
        }
    }

    @Test("all matching traces, newest first, bounded by limit, sample and time") func bounds() async throws {
        try await GatewayFixture.with { gateway in
            var ids: [String] = []
            for index in 1...5 {
                ids.insert(String(try await gateway.record("r", answer: GatewayFixture.completion("\(index)"))), at: 0)
            }
            try await gateway.record("other")
            @Sendable func found(_ query: String) async throws -> [String?] {
                try await traces(gateway, "tags=rollout_id:r\(query)").map { $0["id"]?.string }
            }
            #expect(try await found("&limit=100&sleep_between_gets=0.1&max_retries=5&include_payloads=True") == ids)
            #expect(try await found("&limit=2") == Array(ids.prefix(2)))
            #expect(try await found("&limit=0") == [])
            #expect(try await found("&tags=run_id:r1") == ids)
            #expect(try await found("&tags=run_id:r") == [])
            let sample = try await found("&sample_size=2").compactMap { $0 }
            #expect(sample.count == 2)
            #expect(sample == sample.sorted(by: >))
            #expect(try await found("&hours_back=1") == ids)
            #expect(try await found("&from_timestamp=2020-01-01&to_timestamp=2020-01-02&hours_back=1") == [])
            #expect(try await found("&from_timestamp=2020-01-01T00:00:00%2B02:00") == ids)
        }
    }

    @Test("nothing found is an empty list") func nothing() async throws {
        try await GatewayFixture.with { gateway in
            let response = try await gateway.get("/v1/traces?tags=rollout_id:nobody")
            #expect(response.status == 200)
            #expect(response.json == ["project_id": "default", "traces": [], "total_traces": 0])
        }
    }

    @Test("traces are those of the newest attempt unless others are asked for") func attempts() async throws {
        try await GatewayFixture.with { gateway in
            try await gateway.record("r", answer: GatewayFixture.completion("old"), attempt: "a")
            try await gateway.record("r", answer: GatewayFixture.completion("new"), attempt: "b")
            @Sendable func answers(_ query: String) async throws -> [String?] {
                try await traces(gateway, "tags=rollout_id:r\(query)").map { $0["output"]?["content"]?.string }
            }
            #expect(try await answers("") == ["new"])
            #expect(try await answers("&attempt=all") == ["new", "old"])
            #expect(try await answers("&attempt=a") == ["old"])
        }
    }

    @Test("messages are made to fit the Python client's model") func repaired() async throws {
        let messages: JSONValue = [
            [
                "role": "user",
                "content": [
                    ["type": "text", "text": "t"], ["type": "image_url", "image_url": "http://i"],
                    ["type": "input_audio", "input_audio": [:]],
                ],
            ],
            ["role": "assistant", "tool_calls": [["function": ["name": "f", "arguments": ["a": 1]]]]],
            ["role": "tool", "tool_call_id": 7, "content": "x"],
        ]
        try await GatewayFixture.with { gateway in
            try await gateway.record("r", messages: messages)
            let trace = try await traces(gateway, "tags=rollout_id:r")[0]
            let fitted = trace["input"]?["messages"]
            #expect(fitted?[0]?["content"]?[1]?["image_url"]?["url"]?.string == "http://i")
            #expect(fitted?[0]?["content"]?[2]?["type"]?.string == "text")
            let call = fitted?[1]?["tool_calls"]?[0]
            #expect(call?["id"]?.string?.isEmpty == false)
            #expect(call?["type"]?.string == "function")
            #expect(call?["function"]?["arguments"]?.string == #"{"a":1}"#)
            #expect(fitted?[2]?["tool_call_id"]?.string == "7")
            #expect(trace["metadata"]?["request"]?.string?.contains(#""arguments":{"a":1}"#) == true)
        }
    }

    @Test("payloads come back as what the upstream sent, only when asked for") func payloads() async throws {
        @Sendable func answer(_ logprobs: JSONValue, _ more: JSONObject = [:], choice: JSONObject = [:]) -> JSONValue {
            var first: JSONObject = [
                "index": 0, "message": ["role": "assistant", "content": "a b"], "finish_reason": "stop",
                "logprobs": logprobs,
            ]
            for member in choice.members { first.append(member.key.text, member.value) }
            var object: JSONObject = ["model": "m", "choices": [.object(first)]]
            for member in more.members { object.append(member.key.text, member.value) }
            return .object(object)
        }
        @Sendable func decoded(_ trace: JSONValue, _ name: String) throws -> [UInt8] {
            try TracePayload(from: JSONReader(trace["payloads"]?[name])).content()
        }
        try await GatewayFixture.with { gateway in
            let matrix = Base64.encoded([1, 2, 3, 4])
            try await gateway.record(
                "fireworks",
                answer: answer(
                    [
                        "content": [
                            ["logprob": -0.5, "token_id": 11, "routing_matrix": .string(matrix)],
                            ["logprob": -1.5, "token_id": 12, "routing_matrix": .string(matrix)],
                        ]
                    ]))
            let fireworks = try await traces(gateway, "tags=rollout_id:fireworks&include_payloads=true")[0]
            let tokens = try LogprobsPayload(decoding: decoded(fireworks, "logprobs")).tokens
            #expect(tokens == [.init(id: 11, logprob: -0.5), .init(id: 12, logprob: -1.5)])
            #expect(fireworks["payloads"]?["logprobs"]?["manifest"]?["PayloadVersion"]?.string == "lp/v1")
            #expect(
                try RouterReplayPayload(decoding: decoded(fireworks, "router_replay")).matrices == [
                    [1, 2, 3, 4], [1, 2, 3, 4],
                ])
            #expect(fireworks["payloads"]?["prompt_token_ids"] == nil)

            try await gateway.record(
                "llama", answer: answer(["content": [["logprob": -0.25, "id": 5], ["logprob": -0.75]]]))
            let llama = try await traces(gateway, "tags=rollout_id:llama&include_payloads=1")[0]
            #expect(try LogprobsPayload(decoding: decoded(llama, "logprobs")).tokens.map(\.id) == [5, nil])

            try await gateway.record(
                "vllm",
                answer: answer(
                    ["content": [["logprob": -1], ["logprob": -2]]], ["prompt_token_ids": [1, 2, 3]],
                    choice: ["token_ids": [8, 9]]))
            let vllm = try await traces(gateway, "tags=rollout_id:vllm&include_payloads=True")[0]
            #expect(try LogprobsPayload(decoding: decoded(vllm, "logprobs")).tokens.map(\.id) == [8, 9])
            #expect(try PromptTokenIDsPayload(decoding: decoded(vllm, "prompt_token_ids")).tokenIDs == [1, 2, 3])

            try await gateway.record("plain")
            #expect(try await traces(gateway, "tags=rollout_id:plain&include_payloads=True")[0]["payloads"] == [:])
            #expect(try await traces(gateway, "tags=rollout_id:vllm")[0]["payloads"] == nil)
        }
    }

    @Test("a trace says whether all that was to be captured is there, and hands it out") func captured() async throws {
        @Sendable func decoded(_ trace: JSONValue, _ name: String) throws -> [UInt8] {
            try TracePayload(from: JSONReader(trace["payloads"]?[name])).content()
        }
        try await GatewayFixture.with { gateway in
            let tokens = [LogprobsPayload.Token(id: 7, logprob: -0.5)]
            let routing = try RouterReplayPayload(matrices: [[1, 2]])
            let choice = CapturedTokens.Choice(
                logprobs: LogprobsPayload(tokens: tokens).encode(), routing: routing.encode())
            try await gateway.record(
                "whole",
                captured: CapturedTokens(capture: .tokens, promptTokenIDs: [1, 2, 300], choices: [choice, choice]))
            let whole = try await traces(gateway, "tags=rollout_id:whole&include_payloads=true")[0]
            #expect(whole["metadata"]?["capture"]?.string == "complete")
            #expect(try LogprobsPayload(decoding: decoded(whole, "logprobs")).tokens == tokens)
            #expect(try LogprobsPayload(decoding: decoded(whole, "logprobs.1")).tokens == tokens)
            #expect(try PromptTokenIDsPayload(decoding: decoded(whole, "prompt_token_ids")).tokenIDs == [1, 2, 300])
            #expect(try RouterReplayPayload(decoding: decoded(whole, "router_replay")) == routing)
            #expect(whole["payloads"]?.object?.count == 5)

            try await gateway.record(
                "lacking",
                captured: CapturedTokens(capture: .tokens, missing: ["prompt_token_ids"], reasons: ["so it is"]))
            let lacking = try await traces(gateway, "tags=rollout_id:lacking")[0]
            #expect(
                lacking["metadata"]?["capture"] == ["missing": ["prompt_token_ids"], "reasons": ["so it is"]])

            try await gateway.record("plain")
            #expect(
                try await traces(gateway, "tags=rollout_id:plain")[0]["metadata"]?["capture"]?.string == "none")
        }
    }
}
