// Part of Rollcall. SPDX-License-Identifier: Apache-2.0

import EvalProtocol
import TraceStore

/// What has come, as it is stored, and what has not.
extension TokenCapture {
    /// More choices than anybody asks for, and than any server gives.
    private static let maximumChoices = 128
    private static let completionTokenIDs = "completion_token_ids"

    /// - Parameter usage: the answer's own count of its tokens.
    func result(usage: Usage?) -> CapturedTokens {
        var capture = self
        var result = CapturedTokens(capture: plan.capture, promptTokenIDs: promptTokenIDs ?? [])
        var (hasLogprobs, hasIDs, hasRouting) = (choices.count >= plan.choices, true, true)
        let count = choices.reduce(0) { $0 + $1.tokens.count }
        for choice in choices.sorted(by: { $0.index < $1.index }) where choice.index < Self.maximumChoices {
            let tokens = capture.identified(choice)
            let routing = capture.routing(choice, promptTokens: promptTokenIDs?.count ?? usage?.promptTokens)
            while result.choices.count < choice.index { result.choices.append(.init()) }
            result.choices.append(
                .init(
                    logprobs: tokens.isEmpty ? [] : LogprobsPayload(tokens: tokens).encode(),
                    routing: routing?.encode() ?? []))
            hasLogprobs = hasLogprobs && choice.hasLogprobs && !choice.lacksEntries && tokens.count == choice.count
            hasIDs = hasIDs && tokens.allSatisfy { $0.id != nil }
            hasRouting = hasRouting && (tokens.isEmpty || routing?.matrices.allSatisfy { $0 != nil } == true)
        }
        if let expected = completionTokens ?? usage?.completionTokens {
            if expected == 0, count == 0 { hasLogprobs = true }
            if expected != count, count > 0 || hasLogprobs {
                hasLogprobs = false
                capture.note("\(count) log probabilities came for \(expected) completion tokens")
            }
        }
        if !hasLogprobs { result.missing.append(LogprobsPayload.name) }
        if plan.capture == .tokens {
            // They are stored together, so the one goes with the other.
            if !hasLogprobs || !hasIDs { result.missing.append(Self.completionTokenIDs) }
            if result.promptTokenIDs.isEmpty { result.missing.append(PromptTokenIDsPayload.name) }
            if plan.profile.routing, !hasLogprobs || !hasRouting { result.missing.append(RouterReplayPayload.name) }
        }
        if !result.missing.isEmpty { result.reasons = plan.reasons + capture.faults }
        return result
    }

    /// The tokens with the ids that came beside them.
    private mutating func identified(_ choice: CapturedChoice) -> [LogprobsPayload.Token] {
        guard choice.hasTokenIDs else { return choice.tokens }
        guard choice.tokenIDs.count == choice.tokens.count else {
            note("\(choice.tokenIDs.count) token ids came with \(choice.tokens.count) log probabilities")
            return choice.tokens
        }
        return zip(choice.tokens, choice.tokenIDs).map { .init(id: $0.id ?? $1, logprob: $0.logprob) }
    }

    private mutating func routing(_ choice: CapturedChoice, promptTokens: Int?) -> RouterReplayPayload? {
        guard plan.profile.needs(.routing, for: plan.capture) else { return nil }
        do {
            if let experts = choice.experts {
                return try experts.payload(completionTokens: choice.count, promptTokens: promptTokens)
            }
            guard choice.matrices.contains(where: { $0 != nil }) else { return nil }
            return try RouterReplayPayload(matrices: choice.matrices)
        } catch let error as RoutedExperts.Unusable {
            note(error.sentence)
        } catch {
            note("\(error)")
        }
        return nil
    }
}
