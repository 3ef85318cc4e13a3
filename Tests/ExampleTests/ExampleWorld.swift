// Part of Rollcall. SPDX-License-Identifier: Apache-2.0

import EvalProtocol
import Foundation
import RolloutProcessor
import RolloutTracing
import TestSupport
import WireJSON

/// A built gateway in front of a scripted model, and a built example beside it.
struct ExampleWorld {
    let gatewayURL: String
    let environmentURL: String
    let model: ScriptedHTTPServer
    let environment: RollcallProcess

    var gateway: TracingClient { TracingClient(gatewayURL: gatewayURL) }

    static func with(
        _ program: String, _ options: [String] = [], answer: @escaping ScriptedHTTPServer.Answer,
        run body: @escaping @Sendable (ExampleWorld) async throws -> Void
    ) async throws {
        try await ScriptedHTTPServer.with(answer) { model in
            let folder = FileManager.default.temporaryDirectory.appending(path: "rollcall-\(UUID().uuidString)")
            try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
            defer { try? FileManager.default.removeItem(at: folder) }
            let gateway = try RollcallProcess(
                "gateway",
                ["--port", "0", "--store", "sqlite:\(folder.path)/t.sqlite", "--upstream", model.url + "/v1"])
            defer { gateway.end() }
            let gatewayURL = "http://localhost:\(try await gateway.ready()["port"]?.int ?? 0)"
            let environment = try RollcallProcess(
                program: program, ["--host", "127.0.0.1", "--port", "0"] + options,
                variables: ["FW_TRACING_GATEWAY_BASE_URL": gatewayURL])
            defer { environment.end() }
            let port = try await environment.ready()["port"]?.int ?? 0
            try await body(
                ExampleWorld(
                    gatewayURL: gatewayURL, environmentURL: "http://127.0.0.1:\(port)", model: model,
                    environment: environment))
        }
    }

    /// One rollout of one user message.
    func process(_ text: String, path: String = "") async throws -> EvaluationRow {
        var configuration = RolloutProcessor.Configuration(
            environmentURL: environmentURL + path, gatewayURL: gatewayURL)
        configuration.timeout = .seconds(60)
        return try await RolloutProcessor.with(configuration) { processor in
            try await processor.process(
                EvaluationRow(messages: [.user(text)]), CompletionParameters(model: "scripted"))
        }
    }

    /// What a caller posts for one user message.
    func request(_ rolloutID: String, _ text: String) -> InitRequest {
        let metadata = RolloutMetadata(
            invocationID: "i", experimentID: "e", rolloutID: rolloutID, runID: "u", rowID: "w")
        return InitRequest(
            completionParameters: CompletionParameters(model: "scripted"), messages: [.user(text)],
            modelBaseURL: TaggedURL.make(gatewayURL: gatewayURL, metadata: metadata), metadata: metadata)
    }

    /// A model's answer in words.
    static func completion(_ text: String) -> ScriptedHTTPServer.Response {
        completion(["role": "assistant", "content": .string(text)], finish: "stop")
    }

    /// A model's answer that calls a tool.
    static func completion(calling name: JSONValue, arguments: JSONValue) -> ScriptedHTTPServer.Response {
        let function: JSONValue = ["name": name, "arguments": arguments]
        let call: JSONValue = ["id": "call_1", "type": "function", "function": function]
        return completion(["role": "assistant", "content": .null, "tool_calls": [call]], finish: "tool_calls")
    }

    private static func completion(_ message: JSONValue, finish: JSONValue) -> ScriptedHTTPServer.Response {
        .json([
            "id": "scripted", "object": "chat.completion", "created": 1, "model": "scripted",
            "choices": [["index": 0, "message": message, "finish_reason": finish]],
            "usage": ["prompt_tokens": 7, "completion_tokens": 3, "total_tokens": 10],
        ])
    }
}
