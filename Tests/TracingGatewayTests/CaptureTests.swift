// Part of Rollcall. SPDX-License-Identifier: Apache-2.0

import EvalProtocol
import ModelProxy
import TestSupport
import Testing
import TracingGateway
import WireJSON

@Suite("TracingGateway: capture of a rollout") struct CaptureTests {
    private static let ids = #""invocation_id":"i","experiment_id":"e","run_id":"u","row_id":"w""#
    private static let call = #"{"model":"m","messages":[{"role":"user","content":"hi"}]}"#

    @Test("what a rollout is registered with goes before what its upstream was given, while it runs")
    func registered() async throws {
        try await ScriptedHTTPServer.with({ _ in .json(GatewayFixture.completion("hello")) }) { upstream in
            let rules = try UpstreamRules(
                upstream: upstream.url + "/v1", capture: CaptureRules(captures: ["logprobs"], profiles: ["vllm"]))
            try await GatewayFixture.with(configure: { $0.proxy.upstreams = rules }) { gateway in
                let items = [("none", #""capture":"none""#), ("tokens", #""capture":"tokens","attempt":"b""#)]
                    .map { #"{"metadata":{"rollout_id":"\#($0)",\#(Self.ids)},\#($1)}"# }
                let answer = try await gateway.post("/v1/rollouts", "[\(items.joined(separator: ","))]")
                #expect(answer.json["results"]?.array?.allSatisfy { $0["ok"]?.bool == true } == true, "\(answer.text)")

                @Sendable func asked(_ rollout: String, attempt: String = "") async throws -> Set<String> {
                    let ids = "/rollout_id/\(rollout)/invocation_id/i/experiment_id/e/run_id/u/row_id/w"
                    let answer = try await gateway.post("\(attempt)\(ids)/chat/completions", Self.call)
                    #expect(answer.status == 200)
                    let request = try #require(upstream.requests.last?.json?.object)
                    return Set(request.keys).subtracting(["model", "messages"])
                }
                #expect(try await asked("other") == ["logprobs", "top_logprobs"])
                #expect(try await asked("none") == [])
                #expect(try await asked("tokens") == ["logprobs", "top_logprobs", "return_token_ids"])
                #expect(try await asked("tokens", attempt: "/attempt/b").contains("return_token_ids"))
                // Another attempt is registered with nothing.
                #expect(try await asked("tokens", attempt: "/attempt/a") == ["logprobs", "top_logprobs"])
                let page = try await gateway.get("/v1/rollouts/none").json
                #expect(page["terms"]?["capture"]?.string == "none")
                try await gateway.log("none", code: 100)
                #expect(try await asked("none") == ["logprobs", "top_logprobs"])
            }
        }
    }
}
