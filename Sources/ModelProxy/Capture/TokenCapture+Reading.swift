// Part of Rollcall. SPDX-License-Identifier: Apache-2.0

import EvalProtocol
import WireJSON

/// What stands in each place.
extension TokenCapture {
    mutating func read(
        _ place: UpstreamProfile.Place, at value: Range<Int>, in document: [UInt8], choice index: Int
    ) {
        switch place.content {
        case .logprobs: update(index) { $0.readLogprobs(at: value, in: document) }
        case .completionTokenIDs:
            guard let ids = document.integers(at: value) else { return note("\(place.name) is no list of token ids") }
            update(index) { choice in
                choice.tokenIDs += ids
                choice.hasTokenIDs = true
                return nil
            }
        case .promptTokenIDs:
            guard let ids = document.integers(at: value) else { return note("\(place.name) is no list of token ids") }
            promptTokenIDs = ids
        case .metaInfo:
            guard let fields = try? JSONFields(ofObjectAt: value, in: document.span),
                let list = fields.value(of: "output_token_logprobs", in: document.span),
                let entries = JSONElements.ranges(ofArrayAt: list, in: document.span)
            else { return }
            let ids = entries.map { entry -> Int32? in
                guard let parts = JSONElements.ranges(ofArrayAt: entry, in: document.span), parts.count > 1 else {
                    return nil
                }
                return document.integer(at: parts[1]).flatMap { Int32(exactly: $0) }
            }
            let known = ids.compactMap { $0 }
            guard known.count == ids.count else { return note("meta_info.output_token_logprobs has no token ids") }
            update(index) { choice in
                choice.tokenIDs = known
                choice.hasTokenIDs = true
                return nil
            }
        case .sglangExperts:
            guard let fields = try? JSONFields(ofObjectAt: value, in: document.span),
                let experts = fields.value(of: Self.sglangExperts, in: document.span)
            else { return }
            readExperts(at: experts, in: document, choice: index) { text throws(RoutedExperts.Unusable) in
                try RoutedExperts(integers: text)
            }
        case .numpyExperts:
            guard plan.profile.routing else { return }
            readExperts(at: value, in: document, choice: index) { text throws(RoutedExperts.Unusable) in
                try RoutedExperts(numpy: text)
            }
        case .llamaTimings:
            guard let fields = try? JSONFields(ofObjectAt: value, in: document.span) else { return }
            completionTokens = document.integer(at: fields.value(of: "predicted_n", in: document.span))
        }
    }

    private static let sglangExperts = "routed_experts"

    /// Takes a part of a place's value, where the client may have asked for other parts; whether all of it goes.
    func takesWhole(
        _ place: UpstreamProfile.Place, at value: Range<Int>, in document: [UInt8], _ splices: inout ByteSplices
    ) -> Bool {
        guard place.content == .sglangExperts,
            let fields = try? JSONFields(ofObjectAt: value, in: document.span)
        else { return true }
        let experts = fields.indices(named: Self.sglangExperts, in: document)
        if experts.count == fields.fields.count { return true }
        splices.remove(experts, from: fields)
        return false
    }

    /// Takes the experts out of log probabilities that the client has asked for.
    func takeMatrices(at value: Range<Int>, in document: [UInt8], _ splices: inout ByteSplices) {
        guard plan.adds(UpstreamProfile.routingMatrixField) else { return }
        for entry in CapturedChoice.entries(ofLogprobsAt: value, in: document) ?? [] {
            guard let fields = try? JSONFields(ofObjectAt: entry, in: document.span) else { continue }
            splices.remove(fields.indices(named: CapturedChoice.matrix, in: document), from: fields)
        }
    }

    private mutating func readExperts(
        at value: Range<Int>, in document: [UInt8], choice index: Int,
        _ read: (ArraySlice<UInt8>) throws(RoutedExperts.Unusable) -> RoutedExperts
    ) {
        update(index) { choice in
            guard value.count > 2, document[value.lowerBound] == UInt8(ascii: "\"") else {
                return "the routed experts are not Base64"
            }
            do throws(RoutedExperts.Unusable) {
                choice.experts = try read(document[(value.lowerBound + 1)..<(value.upperBound - 1)])
                return nil
            } catch {
                return error.sentence
            }
        }
    }

    /// Changes what is known of a choice; what is wrong with what came is noted.
    private mutating func update(_ index: Int, _ change: (inout CapturedChoice) -> String?) {
        var position = choices.firstIndex { $0.index == index }
        if position == nil {
            choices.append(CapturedChoice(index: index))
            position = choices.count - 1
        }
        guard let position, let fault = change(&choices[position]) else { return }
        note(fault)
    }
}

extension CapturedChoice {
    fileprivate static let matrix = "routing_matrix"
    private static let lackingEntry = "a token came without its log probability"

    /// The entries of OpenAI's log probabilities; `nil` where there is no list of them.
    fileprivate static func entries(ofLogprobsAt value: Range<Int>, in document: [UInt8]) -> [Range<Int>]? {
        guard let fields = try? JSONFields(ofObjectAt: value, in: document.span) else { return nil }
        var entries: [Range<Int>]?
        for name in ["content", "refusal"] {
            guard let list = fields.value(of: name, in: document.span),
                let ranges = JSONElements.ranges(ofArrayAt: list, in: document.span)
            else { continue }
            entries = (entries ?? []) + ranges
        }
        return entries
    }

    /// Adds the entries; returns what is wrong with them.
    fileprivate mutating func readLogprobs(at value: Range<Int>, in document: [UInt8]) -> String? {
        guard let entries = Self.entries(ofLogprobsAt: value, in: document) else {
            return readLegacyLogprobs(at: value, in: document)
        }
        hasLogprobs = true
        for entry in entries {
            guard let fields = try? JSONFields(ofObjectAt: entry, in: document.span),
                let logprob = document.float(at: fields.value(of: "logprob", in: document.span))
            else {
                lacksEntries = true
                continue
            }
            let id =
                document.integer(at: fields.value(of: "token_id", in: document.span))
                ?? document.integer(at: fields.value(of: "id", in: document.span))
            tokens.append(.init(id: id.flatMap { Int32(exactly: $0) }, logprob: logprob))
            let matrix = document.string(at: fields.value(of: Self.matrix, in: document.span))
            matrices.append(matrix.flatMap { $0.isEmpty ? nil : Base64.decoded($0.utf8) })
        }
        return lacksEntries ? Self.lackingEntry : nil
    }

    /// The form before chat completions, in lists side by side.
    private mutating func readLegacyLogprobs(at value: Range<Int>, in document: [UInt8]) -> String? {
        guard let fields = try? JSONFields(ofObjectAt: value, in: document.span),
            let list = fields.value(of: "token_logprobs", in: document.span),
            let entries = JSONElements.ranges(ofArrayAt: list, in: document.span)
        else { return nil }
        hasLogprobs = true
        let ids = fields.value(of: "token_ids", in: document.span).flatMap { document.integers(at: $0) } ?? []
        for (index, entry) in entries.enumerated() {
            guard let logprob = document.float(at: entry) else {
                lacksEntries = true
                continue
            }
            tokens.append(.init(id: ids.count == entries.count ? ids[index] : nil, logprob: logprob))
            matrices.append(nil)
        }
        return lacksEntries ? Self.lackingEntry : nil
    }
}

extension [UInt8] {
    /// The number that stands at `range` as JSON.
    fileprivate func float(at range: Range<Int>?) -> Float? {
        guard let range else { return nil }
        return Double(String(decoding: self[range], as: UTF8.self)).map { Float($0) }
    }
}
