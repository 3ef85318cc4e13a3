// Part of Rollcall. SPDX-License-Identifier: Apache-2.0

package import EvalProtocol
import WireJSON

/// What is captured of one call: what its request is given for that, and what its answer is to lose again.
package struct CapturePlan: Sendable {
    let capture: Capture
    let profile: UpstreamProfile
    let places: [UpstreamProfile.Place]
    /// The members that the request gets; those that the client has set itself are not among them.
    let added: [UpstreamProfile.Field]
    /// The choices that were asked for.
    let choices: Int
    /// Why not all that is to be captured can come, in a sentence each.
    let reasons: [String]

    /// - Returns: `nil` when nothing is to be captured.
    package init?(_ capture: Capture, of profile: UpstreamProfile, _ request: ModelRequest) {
        guard capture != .none else { return nil }
        self.capture = capture
        self.profile = profile
        places = profile.places
        choices = request.choices
        var reasons: [String] = []
        if capture == .tokens, !places.contains(where: { $0.content == .promptTokenIDs }) {
            reasons.append("servers of the profile \(profile) do not give the token ids of prompts")
        }
        let body = request.body
        func value(_ name: String) -> ArraySlice<UInt8>? {
            request.fields.value(of: name, in: body.span).map { body[$0] }
        }
        // No tools are as good as none at all.
        let hasTools = value("tools").map { !$0.elementsEqual("null".utf8) && !$0.elementsEqual("[]".utf8) } ?? false
        var added: [UpstreamProfile.Field] = []
        for field in profile.fields where profile.needs(field.need, for: capture) {
            switch field.obstacle {
            case .stream where request.streams:
                reasons.append("servers of the profile \(profile) refuse \(field.name) in streamed calls")
                continue
            case .streamWithTools where request.streams && hasTools:
                reasons.append("servers of the profile \(profile) refuse \(field.name) in streamed calls with tools")
                continue
            default: break
            }
            if let companion = field.companion {
                guard added.contains(where: { $0.name == companion }) else { continue }
                if let value = value(field.name), !value.elementsEqual("null".utf8), !value.elementsEqual("0".utf8) {
                    continue
                }
            } else if let value = value(field.name), !value.elementsEqual("null".utf8),
                !value.elementsEqual("false".utf8)
            {
                // The client wants it for itself, in a form of its own perhaps.
                continue
            }
            added.append(field)
        }
        self.added = added
        self.reasons = reasons
    }

    /// Whether the client has not asked for what is in this place.
    func takes(_ place: UpstreamProfile.Place) -> Bool { place.answers.map(adds) ?? false }

    func adds(_ field: String) -> Bool { added.contains { $0.name == field } }
}
