// Part of Rollcall. SPDX-License-Identifier: Apache-2.0

import EvalProtocol
import NIOHTTP1
import RolloutEnvironment
import RolloutTesting
import TestSupport
import Testing
import WireJSON

@Suite("RolloutEnvironment: as callers of real environments expect it") struct RealEnvironmentTests {
    private static func finishing(_ configuration: RolloutEnvironment.Configuration = .test) -> RolloutEnvironment {
        RolloutEnvironment(configuration) { _ in .finished() }
    }

    @Test("/ answers as /init, and as /health") func root() async throws {
        try await FakeGateway.with { gateway in
            try await ServedEnvironment.with(Self.finishing()) { environment in
                let answer = try await environment.post("/", InitRequest.test("r", gateway: gateway.url).json)
                #expect(answer.json?["status"] == "accepted")
                #expect(try await environment.send(.GET, "/").json?["status"] == "healthy")
                #expect(try await environment.send(.PUT, "/").status == 405)
                try await eventually("end") { gateway.terminal(of: "r") == [.finished] }
            }
        }
    }

    @Test(
        "browsers are told who may call",
        arguments: [
            (["*"], "https://a.example", "*"), (["https://a.example"], "https://a.example", "https://a.example"),
            (["https://a.example"], "https://b.example", nil), ([], "https://a.example", nil),
        ] as [([String], String, String?)])
    func crossOrigin(allowed: [String], origin: String, expected: String?) async throws {
        var configuration = RolloutEnvironment.Configuration.test
        configuration.allowedWebOrigins = allowed
        try await ServedEnvironment.with(Self.finishing(configuration)) { environment in
            let question = [("origin", origin), ("access-control-request-method", "POST")]
            for path in ["/", "/init"] {
                let answer = try await environment.send(.OPTIONS, path, headers: question)
                #expect(answer.status == 204)
                #expect(answer.text.isEmpty)
                #expect(answer.headers.first(name: "access-control-allow-origin") == expected)
                let methods = answer.headers.first(name: "access-control-allow-methods")
                #expect(allowed.isEmpty ? methods == nil : methods?.contains("POST") == true)
            }
            let answer = try await environment.send(.GET, "/health", headers: [("origin", origin)])
            #expect(answer.headers.first(name: "access-control-allow-origin") == expected)
        }
    }

    @Test(
        "pages that may not call start nothing, though their browsers send some requests without asking",
        arguments: [
            (nil, nil, 200), (nil, "https://a.example", 403), (nil, "null", 403), (["*"], "https://a.example", 200),
            (["*"], "null", 200), (["https://A.example:443/"], "https://a.example", 200),
            (["https://a.example"], "http://a.example", 403), (["https://a.example"], "https://a.example.evil", 403),
            (["nonsense"], "nonsense", 403),
        ] as [([String]?, String?, Int)])
    func foreignPages(allowed: [String]?, origin: String?, status: Int) async throws {
        var configuration = RolloutEnvironment.Configuration.test
        if let allowed { configuration.allowedWebOrigins = allowed }
        try await FakeGateway.with { gateway in
            try await ServedEnvironment.with(Self.finishing(configuration)) { environment in
                let headers = [("content-type", "text/plain")] + (origin.map { [("origin", $0)] } ?? [])
                for (path, body) in [
                    ("/init", InitRequest.test("r", gateway: gateway.url).json),
                    ("/", InitRequest.test("r2", gateway: gateway.url).json), ("/cancel", ["all": true]),
                ] as [(String, JSONValue)] {
                    let answer = try await environment.post(path, body, headers: headers)
                    #expect(answer.status == status, "\(path): \(answer.text)")
                    if status == 403 {
                        #expect(answer.message.contains("allowedWebOrigins"))
                        #expect(answer.headers.first(name: "access-control-allow-origin") == nil)
                    }
                }
                #expect(try await environment.send(.GET, "/health", headers: headers).status == 200)
                #expect(gateway.lines.isEmpty == (status == 403))
            }
        }
    }

    @Test("model URLs of other origins than the allowed ones are refused, whatever stands in front of the host")
    func modelOrigins() async throws {
        try await FakeGateway.with { gateway in
            var configuration = RolloutEnvironment.Configuration.test
            configuration.gatewayURL = gateway.url
            configuration.allowedModelOrigins = ["https://models.example/v1", gateway.url, "nonsense"]
            try await ServedEnvironment.with(Self.finishing(configuration)) { environment in
                let table: [(String?, Int)] = [
                    (gateway.url, 200), ("https://models.example:443/other", 200), (nil, 200), ("", 200),
                    ("http://models.example", 403), ("https://models.example:444", 403),
                    ("https://models.example@evil.example/", 403), ("https://evil.example/models.example", 403),
                    ("https://models.example.evil.example", 403), ("nonsense", 400),
                ]
                for (index, (url, status)) in table.enumerated() {
                    var request = InitRequest.test("r\(index)", gateway: gateway.url)
                    request.modelBaseURL = url
                    let answer = try await environment.initialize(request)
                    #expect(answer.status == status, "\(url ?? "none"): \(answer.text)")
                    if status == 403 {
                        #expect(answer.json?["error"]?["param"] == "model_base_url")
                        #expect(answer.message.contains("allowedModelOrigins"))
                        #expect(gateway.codes(of: "r\(index)").isEmpty)
                    }
                }
            }
        }
    }

    @Test("a reward and what else the agent gives along travels in the extras of FINISHED") func reward() async throws {
        try await FakeGateway.with { gateway in
            let environment = RolloutEnvironment(.test) { rollout in
                rollout.metadata.rolloutID == "good"
                    ? .finished(reward: 0.25, extras: ["verdict": ["passed": 3], "rollcall": ["attempt": "forged"]])
                    : .finished(reward: .nan)
            }
            try await ServedEnvironment.with(environment) { environment in
                for id in ["good", "bad"] {
                    _ = try await environment.initialize(.test(id, gateway: gateway.url, attempt: "x1"))
                    try await eventually("end") { !gateway.terminal(of: id).isEmpty }
                }
                let line = try #require(gateway.lines(of: "good").last)
                #expect(line.code == .finished)
                #expect(line.json["extras"]?["reward"] == 0.25)
                #expect(line.json["extras"]?["verdict"] == ["passed": 3])
                #expect(line.attempt == "x1")
                #expect(line.json["status"]?.object?.keys == ["code", "message", "details"])
                let receipt = try await environment.initialize(.test("good", gateway: gateway.url, attempt: "x1"))
                #expect(receipt.json?["receipt"]?["extras"]?["reward"] == 0.25)
                let status = try await environment.send(.GET, "/status?rollout_id=good").json
                #expect(status?["info"]?["extras"]?["reward"] == 0.25)
            }
            #expect(gateway.terminal(of: "bad") == [.scoreInvalid])
            #expect(gateway.lines(of: "bad").last?.message.contains("no score") == true)
        }
    }

    @Test("everything that the Python client can send reaches the model: images, developer roles, tool calls, names")
    func everything() async throws {
        let text = #"""
            {"completion_params": {"model": "m", "base_url": null, "extra_body": {"reasoning_effort": "none"}},
             "messages": [
              {"role": "developer", "content": "Be brief.", "name": "boss", "reasoning_content": null, "tool_call_id": null,
               "tool_calls": null, "function_call": null, "control_plane_step": null, "weight": null, "logprobs": null},
              {"role": "user", "content": [{"type": "text", "text": "What is this?"},
               {"type": "image_url", "image_url": {"url": "data:image/png;base64,AAAA", "detail": "low"}}]},
              {"role": "assistant", "content": "", "tool_calls": [{"id": "c1", "type": "function",
               "function": {"name": "Math-add.of_very_many_characters_more_than_sixty_four_in_a_function_s_name", "arguments": "{}"}}]},
              {"role": "tool", "content": "4", "tool_call_id": "c1", "name": "Math-add"},
              {"role": "function", "content": "5", "name": "old"}],
             "tools": [{"type": "function", "function": {"name": "f", "strict": true, "parameters": {}}, "extra": 1}],
             "model_base_url": "http://h/v1", "api_key": null, "later": {"field": 1},
             "metadata": {"invocation_id": "i", "experiment_id": "e", "rollout_id": "r", "run_id": "", "row_id": "a/b ü", "x": 1}}
            """#
        let environment = RolloutEnvironment { rollout in
            _ = try await rollout.model.complete(rollout.messages)
            return .finished()
        }
        let model = ScriptedModel(["ok"])
        let recording = await environment.test(try InitRequest(parsing: Array(text.utf8)), model: model)
        #expect(recording.status.code == .finished, "\(recording.status)")
        let sent = try #require(model.calls.first?.body["messages"]?.array)
        #expect(sent.map { $0["role"]?.string } == ["developer", "user", "assistant", "tool", "function"])
        #expect(sent[0] == ["role": "developer", "content": "Be brief.", "name": "boss"])
        #expect(sent[1]["content"]?[1]?["image_url"] == ["url": "data:image/png;base64,AAAA", "detail": "low"])
        #expect(sent[2]["tool_calls"]?[0]?["function"]?["name"]?.string?.count ?? 0 > 64)
        #expect(sent[3]["name"] == "Math-add")
        #expect(model.calls.first?.body["tools"]?[0]?["extra"] == 1)
    }
}
