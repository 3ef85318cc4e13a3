// Part of Rollcall. SPDX-License-Identifier: Apache-2.0

package import EvalProtocol
import WireJSON

/// What a record tells of a completion besides its bytes.
package struct AnswerFacts: Sendable, Equatable {
    package var model: String?
    package var fingerprint: String?
    package var finishReason: String?
    package var usage: Usage?

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

    package struct Unusable: Error, Equatable {
        package var sentence: String
    }
}
