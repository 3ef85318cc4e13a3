// Part of Rollcall. SPDX-License-Identifier: Apache-2.0

import EvalProtocol
import RolloutEnvironment
import RolloutTracing
import Testing
import WireJSON

@Suite("RolloutEnvironment: where calls and logs go") struct EndpointTests {
    static let ids = RolloutMetadata(
        invocationID: "i", experimentID: "e", rolloutID: "r", runID: "u", rowID: "w")

    private func request(_ url: String?, key: String? = nil) -> InitRequest {
        InitRequest(
            completionParameters: CompletionParameters(model: "m"), messages: [], modelBaseURL: url, metadata: Self.ids,
            apiKey: key)
    }

    private func configuration(_ variables: [String: String]) -> RolloutEnvironment.Configuration {
        var configuration = RolloutEnvironment.Configuration()
        configuration.variables = variables
        return configuration
    }

    private let tagged = TaggedURL.make(gatewayURL: "http://localhost:8787", metadata: ids)

    @Test("the order of the gateways of logs") func destinations() {
        let variables = ["FW_TRACING_GATEWAY_BASE_URL": "http://fw:1/", "FIREWORKS_API_KEY": "fireworks"]
        var configured = configuration(variables)
        configured.gatewayURL = "http://configured:2"
        configured.gatewayAPIKey = "own"
        let first = ChosenDestination.choose(for: request(tagged, key: "body"), configured)
        #expect(first.destination == LogDestination(gatewayURL: "http://configured:2", apiKey: "own"))
        let second = ChosenDestination.choose(for: request(tagged, key: "body"), configuration(variables))
        #expect(second.destination == LogDestination(gatewayURL: "http://fw:1", apiKey: "fireworks"))
        let third = ChosenDestination.choose(
            for: request(tagged, key: "body"), configuration(["FIREWORKS_API_KEY": "fireworks"]))
        #expect(third.destination == LogDestination(gatewayURL: "http://localhost:8787", apiKey: "body"))
        let keyless = ChosenDestination.choose(for: request(tagged), configuration(["FIREWORKS_API_KEY": "fireworks"]))
        #expect(keyless.destination.apiKey == nil)
        let hosted = ChosenDestination.choose(
            for: request("http://plain/v1", key: "body"), configuration(["FIREWORKS_API_KEY": "fireworks"]))
        #expect(
            hosted.destination == LogDestination(gatewayURL: TracingConfiguration.hostedGatewayURL, apiKey: "fireworks")
        )
    }

    @Test(
        "without a gateway of the environment's own, that of the model URL, unless it is the hosted one",
        arguments: [
            ("http://127.0.0.1:4020", nil, "http://127.0.0.1:4020", "body"),
            ("https://gw.internal/v1", nil, "https://gw.internal:443", "body"),
            ("https://gw.internal/v1", "own", "https://tracing.fireworks.ai", "own"),
            (
                "https://TRACING.fireworks.ai/rollout_id/r/invocation_id/i/experiment_id/e/run_id/u/row_id/w", "own",
                "https://tracing.fireworks.ai", "own"
            ),
            (
                "https://tracing.fireworks.ai/rollout_id/r/invocation_id/i/experiment_id/e/run_id/u/row_id/w", nil,
                "https://tracing.fireworks.ai", "body"
            ),
            (nil, nil, "https://tracing.fireworks.ai", nil),
        ] as [(String?, String?, String, String?)])
    func modelOrigin(url: String?, own: String?, gateway: String, key: String?) {
        let variables = own.map { ["FIREWORKS_API_KEY": $0] } ?? [:]
        let chosen = ChosenDestination.choose(for: request(url, key: "body"), configuration(variables))
        #expect(chosen.destination == LogDestination(gatewayURL: gateway, apiKey: key))
    }

    @Test("the caller's key goes to a gateway of the environment's own only at the model URL's origin") func bodyKey() {
        let same = ChosenDestination.choose(
            for: request(tagged, key: "body"), configuration(["FW_TRACING_GATEWAY_BASE_URL": "http://LOCALHOST:8787"]))
        #expect(same.destination.apiKey == "body")
        let other = ChosenDestination.choose(
            for: request(tagged, key: "body"), configuration(["FW_TRACING_GATEWAY_BASE_URL": "http://other:8787"]))
        #expect(other.destination.apiKey == nil)
    }

    @Test(
        "the model of the request, else the environment's own; keys stay with their origin",
        arguments: [
            ("http://a/v1/", "k", [:], "http://a/v1/chat/completions", "k"),
            ("http://a/v1", nil, [:], "http://a/v1/chat/completions", nil),
            ("http://a/v1", nil, ["OPENAI_API_KEY": "own"], "http://a/v1/chat/completions", nil),
            (
                "http://a/v1", nil, ["OPENAI_API_KEY": "own", "OPENAI_BASE_URL": "http://A:80/x"],
                "http://a/v1/chat/completions", "own"
            ),
            (
                "http://g/v1", nil, ["FIREWORKS_API_KEY": "fw", "FW_TRACING_GATEWAY_BASE_URL": "http://g"],
                "http://g/v1/chat/completions", "fw"
            ),
            (nil, "k", ["OPENAI_BASE_URL": "http://own/v1"], "http://own/v1/chat/completions", "k"),
            (
                nil, nil, ["OPENAI_BASE_URL": "http://own/v1", "OPENAI_API_KEY": "own"],
                "http://own/v1/chat/completions",
                "own"
            ),
            (nil, nil, ["OPENAI_API_KEY": "own"], "https://api.openai.com/v1/chat/completions", "own"),
        ] as [(String?, String?, [String: String], String, String?)])
    func endpoints(url: String?, key: String?, variables: [String: String], expected: String, sent: String?) throws {
        let endpoint = try ModelEndpoint.resolve(request(url, key: key), attempt: nil, configuration(variables)).get()
        #expect(endpoint.url == expected)
        #expect(endpoint.apiKey == sent)
    }

    @Test("without any model the error says what to set") func none() {
        let result = ModelEndpoint.resolve(request(nil, key: "k"), attempt: nil, configuration([:]))
        let error = #expect(throws: ModelError.self) { try result.get() }
        #expect(error?.message.contains("model_base_url") == true)
        #expect(error?.message.contains("OPENAI_BASE_URL") == true)
    }

    @Test("ids that may not stand in a URL are escaped, and an attempt comes before the ids") func escaped() throws {
        let url = "http://h:1//rollout_id/r/invocation_id/i/experiment_id/e/run_id/u/row_id/what is 5% of ü?#1"
        let endpoint = try ModelEndpoint.resolve(request(url), attempt: AttemptID("a1"), configuration([:])).get()
        #expect(
            endpoint.url
                == "http://h:1//attempt/a1/rollout_id/r/invocation_id/i/experiment_id/e/run_id/u/row_id/"
                + "what%20is%205%25%20of%20%C3%BC%3F%231/chat/completions")
    }

    @Test(
        "origins",
        arguments: [
            ("http://A", "http://a:80"), ("https://a/x?y", "https://a:443"), ("http://u:p@a:1/x", "http://a:1"),
            ("http://[::1]:8/x", "http://[::1]:8"), ("http://[::1]", "http://[::1]:80"), ("ftp://a", nil), ("a/b", nil),
            ("http://", nil), ("http:///x", nil),
        ] as [(String, String?)])
    func origins(url: String, expected: String?) { #expect(WebOrigin(url)?.description == expected) }
}
