// Part of Rollcall. SPDX-License-Identifier: Apache-2.0

import EvalProtocol
import TraceStore
import WireJSON

/// Reads what a call's answer has for training, and takes out of it what its client has not asked for: out of the
/// whole answer, or out of one chunk of a stream after the other.
struct TokenCapture: Sendable {
    enum Rest: Equatable {
        case same
        case changed([UInt8])
        /// A chunk that came for the sake of what was taken out of it alone.
        case nothing
    }

    let plan: CapturePlan
    var choices: [CapturedChoice] = []
    var promptTokenIDs: [Int32]?
    /// The completion's tokens, where the server tells their number by itself.
    var completionTokens: Int?
    /// What was wrong with what came, in a sentence each.
    private(set) var faults: [String] = []

    private static let maximumFaults = 4

    init(_ plan: CapturePlan) { self.plan = plan }

    mutating func note(_ fault: String) {
        if faults.count < Self.maximumFaults, !faults.contains(fault) { faults.append(fault) }
    }

    /// - Throws: when the document is no JSON object. Nothing has changed then.
    mutating func take(_ document: [UInt8], isChunk: Bool) throws(JSONError) -> Rest {
        let answer = try JSONFields(of: document.span)
        var splices = ByteSplices()
        var isLeft = take(.answer, of: answer, in: document, choice: 0, &splices)
        if let list = answer.value(of: "choices", in: document.span) {
            for (position, range) in (JSONElements.ranges(ofArrayAt: list, in: document.span) ?? []).enumerated() {
                guard let choice = try? JSONFields(ofObjectAt: range, in: document.span) else {
                    isLeft = true
                    continue
                }
                let index = document.integer(at: choice.value(of: "index", in: document.span)) ?? position
                if take(.choice, of: choice, in: document, choice: index, &splices) { isLeft = true }
            }
        }
        if splices.isEmpty { return .same }
        return isChunk && !isLeft ? .nothing : .changed(splices.applied(to: document))
    }

    /// Reads the places of an answer or of a choice; whether something is left that a client may want to see.
    private mutating func take(
        _ scope: UpstreamProfile.Place.Scope, of object: JSONFields, in document: [UInt8], choice: Int,
        _ splices: inout ByteSplices
    ) -> Bool {
        var removed: [Int] = []
        var taken: [Int] = []
        for place in plan.places where place.scope == scope {
            let fields = object.indices(named: place.name, in: document)
            for field in fields {
                let value = object.fields[field].value
                guard document.isPresent(at: value) else { continue }
                // The last one of a name counts.
                if field == fields.last { read(place, at: value, in: document, choice: choice) }
                guard plan.takes(place) else {
                    if place.content == .logprobs { takeMatrices(at: value, in: document, &splices) }
                    continue
                }
                guard takesWhole(place, at: value, in: document, &splices) else { continue }
                taken.append(field)
                if place.isNullOtherwise {
                    splices.replace(value, with: Array("null".utf8))
                } else {
                    removed.append(field)
                }
            }
        }
        splices.remove(removed.sorted(), from: object)
        return object.fields.indices.contains { index in
            !taken.contains(index) && isContent(object.fields[index], of: scope, in: document)
        }
    }

    /// Whether a member says more than which call, choice and model its chunk belongs to.
    private func isContent(
        _ field: JSONFields.Field, of scope: UpstreamProfile.Place.Scope, in document: [UInt8]
    ) -> Bool {
        guard document.isPresent(at: field.value) else { return false }
        let name = field.name(in: document)
        switch scope {
        case .answer: return !Self.frame.contains(name)
        case .choice:
            if name == "index" { return false }
            guard name == "delta", let delta = try? JSONFields(ofObjectAt: field.value, in: document.span) else {
                return !document[field.value].elementsEqual("\"\"".utf8)
            }
            return delta.fields.contains { document.isPresent(at: $0.value) }
        }
    }

    /// The answer as it is stored, without what its client sees because the server sends it unasked.
    func withoutExperts(_ answer: [UInt8]) -> [UInt8] {
        let places = plan.places.filter { $0.content == .numpyExperts && plan.profile.routing }
        guard !places.isEmpty, let fields = try? JSONFields(of: answer.span),
            let choices = fields.value(of: "choices", in: answer.span)
        else { return answer }
        var splices = ByteSplices()
        for range in JSONElements.ranges(ofArrayAt: choices, in: answer.span) ?? [] {
            guard let choice = try? JSONFields(ofObjectAt: range, in: answer.span) else { continue }
            let removed = places.flatMap { choice.indices(named: $0.name, in: answer) }
            splices.remove(removed.sorted(), from: choice)
        }
        return splices.applied(to: answer)
    }

    private static let frame: Set<String> = [
        "id", "object", "created", "model", "choices", "system_fingerprint", "service_tier",
    ]
}
