// Part of Rollcall. SPDX-License-Identifier: Apache-2.0

package import EvalProtocol
import WireJSON

/// What a record tells of a completion besides its bytes.
package struct AnswerFacts: Sendable, Equatable {
    package var model: String?
    package var fingerprint: String?
    package var finishReason: String?
    package var usage: Usage?
    /// The version of the policy that answered.
    package var policyVersion: String?
    /// Whether the answer has the token ids of its prompt.
    package var hasPromptTokens: Bool

    /// - Throws: ``Unusable`` when the completion is no object whose first choice has a message.
    package init(_ completion: [UInt8]) throws(Unusable) {
        let fields: JSONFields
        do {
            fields = try JSONFields(of: completion.span)
        } catch {
            throw Unusable(sentence: "the upstream's answer is \(error.description)")
        }
        guard let choices = fields.value(of: "choices", in: completion.span),
            let first = JSONElements.ranges(ofArrayAt: choices, in: completion.span)?.first,
            let choice = try? JSONFields(ofObjectAt: first, in: completion.span),
            let message = choice.value(of: "message", in: completion.span),
            completion[message.lowerBound] == UInt8(ascii: "{")
        else { throw Unusable(sentence: "the upstream's answer has no choice with a message") }
        hasPromptTokens =
            completion.isPresent(at: fields.value(of: PromptTokens.field, in: completion.span))
            || completion.isPresent(at: choice.value(of: PromptTokens.field, in: completion.span))
        policyVersion = Self.policyVersion(fields, in: completion)
        model = completion.string(at: fields.value(of: "model", in: completion.span))
        fingerprint = completion.string(at: fields.value(of: "system_fingerprint", in: completion.span))
        finishReason = completion.string(at: choice.value(of: "finish_reason", in: completion.span))
        if let range = fields.value(of: "usage", in: completion.span),
            let counts = try? JSONFields(ofObjectAt: range, in: completion.span)
        {
            usage = Usage(
                promptTokens: completion.integer(at: counts.value(of: "prompt_tokens", in: completion.span)) ?? 0,
                completionTokens: completion.integer(at: counts.value(of: "completion_tokens", in: completion.span))
                    ?? 0)
        }
    }

    /// `policy_version` or `weight_version`, at the top or in `metadata`, where SGLang has it.
    private static func policyVersion(_ fields: JSONFields, in completion: [UInt8]) -> String? {
        func version(in fields: JSONFields) -> String? {
            guard
                let range = fields.value(of: "policy_version", in: completion.span)
                    ?? fields.value(of: "weight_version", in: completion.span)
            else { return nil }
            return completion.string(at: range) ?? completion.integer(at: range).map(String.init)
        }
        if let version = version(in: fields) { return version }
        guard let metadata = fields.value(of: "metadata", in: completion.span),
            let inner = try? JSONFields(ofObjectAt: metadata, in: completion.span)
        else { return nil }
        return version(in: inner)
    }

    package struct Unusable: Error, Equatable {
        package var sentence: String
    }
}
