// Part of Rollcall. SPDX-License-Identifier: Apache-2.0

import TraceStore
import WireJSON

/// The token ids of a prompt in an answer that is to be stored. Every turn's repeat those of the turn before, so they are
/// stored apart, where the repetition is found.
enum PromptTokens {
    static let field = "prompt_token_ids"

    /// Moves them, where they are a list of ids.
    static func take(from answer: inout [UInt8], into captured: inout CapturedTokens) {
        guard let fields = try? JSONFields(of: answer.span) else { return }
        var splices = ByteSplices()
        var found: [Int32]?
        func take(from object: JSONFields) {
            var removed: [Int] = []
            for index in object.indices(named: field, in: answer) {
                let value = object.fields[index].value
                guard answer.isPresent(at: value) else { continue }
                // Other ones are kept where they are: these could not come back.
                guard let ids = answer.integers(at: value), found == nil || found == ids else { continue }
                found = ids
                removed.append(index)
            }
            splices.remove(removed, from: object)
        }
        take(from: fields)
        if let choices = fields.value(of: "choices", in: answer.span) {
            for range in JSONElements.ranges(ofArrayAt: choices, in: answer.span) ?? [] {
                if let choice = try? JSONFields(ofObjectAt: range, in: answer.span) { take(from: choice) }
            }
        }
        answer = splices.applied(to: answer)
        if let found { captured.promptTokenIDs = found }
    }
}
