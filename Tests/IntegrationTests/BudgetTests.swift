// Part of Rollcall. SPDX-License-Identifier: Apache-2.0

import AsyncHTTPClient
import EvalProtocol
import NIOCore
import NIOHTTP1
import RolloutEnvironment
import RolloutTracing
import TestSupport
import Testing
import WireJSON

@Suite("Integration: budgets") struct BudgetTests {
    private static func post(_ url: String, _ body: JSONValue) async throws -> (code: Int, json: JSONValue?) {
        var request = HTTPClientRequest(url: url)
        request.method = .POST
        request.headers.add(name: "content-type", value: "application/json")
        request.body = .bytes(ByteBuffer(bytes: body.serialized()))
        let answer = try await HTTPClient.shared.execute(request, timeout: .seconds(20))
        let bytes = [UInt8](try await answer.body.collect(upTo: 1 << 20).readableBytesView)
        return (Int(answer.status.code), try? JSONValue(parsing: bytes))
    }

    @Test("hold at the gateway for calls that an agent makes with a client of its own, and end the rollout there")
    func ownClient() async throws {
        var configuration = Loop.quietConfiguration()
        configuration.budget = Budget(calls: 5)
        try await Loop.with(model: ModelAnswers.echo, configuration: configuration) { rollout in
            let url = (rollout.request.modelBaseURL ?? "") + "/chat/completions"
            let body: JSONValue = ["model": "m", "messages": [["role": "user", "content": "hello"]]]
            var codes: [JSONValue] = []
            while codes.count < 10 {
                let (code, json) = try await Self.post(url, body)
                codes.append(.number(code))
                if code != 200 {
                    return .finished(extras: ["codes": .array(codes), "error": json?["error"]?["code"] ?? .null])
                }
            }
            return .finished(extras: ["codes": .array(codes)])
        } run: { loop in
            let gateway = TracingClient(gatewayURL: loop.gatewayURL)
            var ids = RolloutMetadata(invocationID: "i", experimentID: "e", rolloutID: "b", runID: "u", rowID: "w")
            let url = TaggedURL.make(gatewayURL: loop.gatewayURL, metadata: ids)
            ids.additional["budget"] = ["calls": 2]
            let request = InitRequest(
                completionParameters: CompletionParameters(model: "m"), messages: [.user("hello")], modelBaseURL: url,
                metadata: ids)
            #expect(try await Self.post(loop.environmentURL + "/init", request.json).code == 200)
            try await eventually("verdict") {
                try await gateway.status(of: "b").status?.code == .resourceExhausted
            }
            let status = try #require(try await gateway.status(of: "b").status)
            #expect(FailureReason(status) == .budgetCalls)
            #expect(FailureReason(status)?.blame == .policy)
            // What the agent said afterwards is kept and changes nothing.
            try await eventually("the agent's end") {
                try await gateway.rollout("b")?["logs"]?.int ?? 0 >= 3
            }
            #expect(loop.model.requests.count == 2)
            #expect(try await gateway.status(of: "b").status?.code == .resourceExhausted)
        }
    }
}
