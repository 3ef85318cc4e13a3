// Part of Rollcall. SPDX-License-Identifier: Apache-2.0

package import EvalProtocol
import RolloutTracing

extension ModelEndpoint {
    /// Where the model calls of `request` go.
    ///
    /// Keys of the environment's own are shown to the origins they belong to and to no other, so that no caller can
    /// have them sent to an address of its choice.
    package static func resolve(
        _ request: InitRequest, attempt: AttemptID?, _ configuration: RolloutEnvironment.Configuration
    ) -> Result<ModelEndpoint, ModelError> {
        let ownKey = configuration.model.apiKey ?? configuration.variable("OPENAI_API_KEY")
        let ownURL =
            configuration.model.baseURL ?? configuration.variable("OPENAI_BASE_URL")
            ?? (ownKey == nil ? nil : "https://api.openai.com/v1")
        let requestKey = request.apiKey.flatMap { $0.isEmpty ? nil : $0 }
        if let url = request.modelBaseURL, !url.isEmpty {
            let gatewayURL = configuration.gatewayURL ?? configuration.variable("FW_TRACING_GATEWAY_BASE_URL")
            let gatewayKey = configuration.gatewayAPIKey ?? configuration.variable("FIREWORKS_API_KEY")
            let key =
                requestKey
                ?? ownURL.flatMap { OriginKey(url: $0, key: ownKey).key(for: url) }
                ?? gatewayURL.flatMap { OriginKey(url: $0, key: gatewayKey).key(for: url) }
            let called = attempt.flatMap { TaggedURL(url)?.inserting($0) } ?? url
            return .success(ModelEndpoint(baseURL: called.withoutFinalSlashes, apiKey: key))
        }
        if let ownURL {
            return .success(ModelEndpoint(baseURL: ownURL.withoutFinalSlashes, apiKey: ownKey ?? requestKey))
        }
        return .failure(
            ModelError(
                .modelNotConfigured,
                "The request has no model_base_url and the environment has none of its own: send model_base_url in "
                    + "/init, or set OPENAI_BASE_URL (and OPENAI_API_KEY) for the environment."))
    }
}

extension String {
    fileprivate var withoutFinalSlashes: String {
        var rest = self[...]
        while rest.hasSuffix("/") { rest.removeLast() }
        return String(rest)
    }
}
