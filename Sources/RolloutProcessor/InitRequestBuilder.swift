// Part of Rollcall. SPDX-License-Identifier: Apache-2.0

package import EvalProtocol
import WireJSON

/// Makes the body of `/init` from a row.
package enum InitRequestBuilder {
    /// The request without a null anywhere the contract lets it out: schemas in which a field is only optional
    /// refuse nulls.
    package static func request(
        row: EvaluationRow, parameters: CompletionParameters, metadata: RolloutMetadata, gatewayURL: String,
        apiKey: String?
    ) -> InitRequest {
        InitRequest(
            completionParameters: parameters,
            messages: row.messages.map(message),
            tools: row.tools,
            modelBaseURL: TaggedURL.make(
                gatewayURL: gatewayURL, metadata: metadata, attempt: metadata.attempt,
                upstreamBaseURL: parameters.baseURL),
            metadata: metadata,
            apiKey: apiKey)
    }

    /// The parameters of the task, with the row's own where the task has none, no nulls, and the model's name as
    /// the hosted gateway wants it.
    package static func parameters(_ parameters: CompletionParameters, row: EvaluationRow) -> CompletionParameters {
        var merged = parameters
        merged.model = routedModel(parameters.model)
        merged.additional = [:]
        for member in row.inputMetadata.completionParameters.members where member.key.text != "model" {
            merged.additional[member.key.text] = member.value
        }
        for member in parameters.additional.members { merged.additional[member.key.text] = member.value }
        let nulls = merged.additional.members.filter(\.value.isNull).map(\.key.text)
        merged.additional = merged.additional.removing(Set(nulls))
        return merged
    }

    /// `accounts/X/models/Y` and `accounts/X/deployments/Y` carry their provider's name in front, as the Python
    /// client sends them; our gateway takes it off again.
    private static func routedModel(_ model: String) -> String {
        let parts = model.split(separator: "/", omittingEmptySubsequences: false)
        guard parts.count == 4, parts[0] == "accounts", parts[2] == "models" || parts[2] == "deployments" else {
            return model
        }
        return "fireworks_ai/" + model
    }

    private static func message(_ message: Message) -> Message {
        var message = message.forModel
        message.additional = message.additional.removing(["reasoning_content", "function_call"])
        message.content = message.content ?? .text("")
        return message
    }
}
