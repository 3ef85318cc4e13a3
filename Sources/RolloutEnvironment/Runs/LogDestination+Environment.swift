// Part of Rollcall. SPDX-License-Identifier: Apache-2.0

package import EvalProtocol
package import RolloutTracing

/// Where a rollout's lines go, and how that was found.
package struct ChosenDestination: Sendable {
    package enum Source: Sendable { case configuration, variable, modelURL, hosted }

    private static let hostedOrigin = WebOrigin(TracingConfiguration.hostedGatewayURL)

    package var destination: LogDestination
    package var source: Source

    /// The first of: the configuration, `FW_TRACING_GATEWAY_BASE_URL`, the model URL's gateway, the hosted one.
    ///
    /// A model URL without tags names no gateway; its origin is taken for one where there is no key for the hosted one,
    /// which would refuse the lines.
    package static func choose(
        for request: InitRequest, _ configuration: RolloutEnvironment.Configuration
    ) -> ChosenDestination {
        let ownKey = configuration.gatewayAPIKey ?? configuration.variable("FIREWORKS_API_KEY")
        let tagged = request.modelBaseURL.flatMap { TaggedURL($0) }
        // The model calls show this origin the caller's key anyway.
        func key(for url: String) -> String? {
            if let ownKey { return ownKey }
            guard let tagged, WebOrigin(tagged.gatewayURL) == WebOrigin(url) else { return nil }
            return request.apiKey
        }
        if let url = configuration.gatewayURL {
            return ChosenDestination(
                destination: LogDestination(gatewayURL: url, apiKey: key(for: url)), source: .configuration)
        }
        if let url = configuration.variable("FW_TRACING_GATEWAY_BASE_URL") {
            return ChosenDestination(
                destination: LogDestination(gatewayURL: url, apiKey: key(for: url)), source: .variable)
        }
        let origin = request.modelBaseURL.flatMap { WebOrigin($0) }
        if let origin, origin != hostedOrigin, tagged != nil || ownKey == nil {
            return ChosenDestination(
                destination: LogDestination(
                    gatewayURL: tagged?.gatewayURL ?? origin.description, apiKey: request.apiKey), source: .modelURL)
        }
        let hosted = TracingConfiguration.hostedGatewayURL
        return ChosenDestination(
            destination: LogDestination(gatewayURL: hosted, apiKey: key(for: hosted)), source: .hosted)
    }

    /// Whose key the destination has.
    func keyOwner(ownKey: String?) -> JournalRecord.GatewayKey {
        guard let key = destination.apiKey else { return .none }
        return key == ownKey ? .own : .caller
    }

    /// What to set when the gateway refuses the key.
    var keyAdvice: String {
        switch source {
        case .configuration: "Set gatewayAPIKey in the environment's configuration, or FIREWORKS_API_KEY."
        case .variable, .hosted: "Set FIREWORKS_API_KEY for the environment to a key that the gateway takes."
        case .modelURL:
            "The key came from api_key in the body of /init; send another, or set FW_TRACING_GATEWAY_BASE_URL and "
                + "FIREWORKS_API_KEY for the environment."
        }
    }

    /// What to set when the gateway cannot be reached.
    var addressAdvice: String {
        switch source {
        case .configuration: "Check gatewayURL in the environment's configuration."
        case .variable: "Check FW_TRACING_GATEWAY_BASE_URL of the environment."
        case .modelURL: "The address came from model_base_url; set FW_TRACING_GATEWAY_BASE_URL if logs go elsewhere."
        case .hosted: "Set FW_TRACING_GATEWAY_BASE_URL for the environment, or send a tagged model_base_url."
        }
    }
}
