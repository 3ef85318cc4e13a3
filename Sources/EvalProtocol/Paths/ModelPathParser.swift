// Part of Rollcall. SPDX-License-Identifier: Apache-2.0

/// Takes a model API path apart, from both ends: the API's name from the back, ids from the front.
struct ModelPathParser {
    private let bytes: [UInt8]
    private let maximumIDBytes: Int

    init(_ path: String, maximumIDBytes: Int) {
        bytes = Array(path.utf8)
        self.maximumIDBytes = maximumIDBytes
    }

    func parse() throws(ModelPathError) -> ModelPath? {
        guard let (api, start) = suffix() else { return try untaggedModel() }
        let versioned = start >= 3 && bytes[start - 3..<start].elementsEqual("/v1".utf8)
        // A row may be called v1: only if the rest makes no sense without it, the /v1 is not the API's.
        if versioned, let path = try path(api: api, suffix: start, frontEnd: start - 3) { return path }
        if let path = try path(api: api, suffix: start, frontEnd: start) { return path }
        return try untaggedModel()
    }

    // MARK: The end

    private static let suffixes: [(api: ModelPath.API, text: [UInt8])] =
        ModelPath.API.allCases.map { ($0, Array("/\($0.rawValue)".utf8)) }
    private static let models = Array("/models".utf8)
    private static let encodedBaseURL = Array("/encoded_base_url/".utf8)

    /// The API the path ends with, and where its name begins.
    private func suffix() -> (ModelPath.API, start: Int)? {
        for (api, text) in Self.suffixes where hasSuffix(text, endingAt: bytes.count) {
            return (api, bytes.count - text.count)
        }
        guard let slash = bytes.lastIndex(of: UInt8(ascii: "/")), slash + 1 < bytes.count,
            hasSuffix(Self.models, endingAt: slash)
        else { return nil }
        return (.models, slash - Self.models.count)
    }

    private func hasSuffix(_ text: [UInt8], endingAt end: Int) -> Bool {
        end >= text.count && bytes[end - text.count..<end].elementsEqual(text)
    }

    // MARK: The front

    /// What may stand before the ids, or before the API's name when there are none.
    private struct Base {
        var hasVersion = false
        var projectID: Range<Int>?
        var attempt: Range<Int>?
        /// The first segment that is none of these, empty at the end of the path.
        var next: Range<Int>
    }

    private func path(
        api: ModelPath.API, suffix: Int, frontEnd: Int
    ) throws(ModelPathError) -> ModelPath? {
        guard let base = base(upTo: frontEnd) else { return nil }
        var path = ModelPath(
            api: api, apiSuffix: String(decoding: bytes[suffix...], as: UTF8.self), metadata: nil, projectID: nil,
            upstreamBaseURL: nil)
        if !base.next.isEmpty {
            guard isSegment(base.next, "rollout_id"), let tags = tags(at: base.next.upperBound, upTo: frontEnd) else {
                return nil
            }
            path.metadata = RolloutMetadata(
                invocationID: try id("invocation_id", tags.invocationID),
                experimentID: try id("experiment_id", tags.experimentID),
                rolloutID: try id("rollout_id", tags.rolloutID), runID: try id("run_id", tags.runID),
                rowID: try id("row_id", tags.rowID), attempt: try attempt(base.attempt))
            path.upstreamBaseURL = try tags.encodedBaseURL.map(upstreamBaseURL)
        } else if base.attempt != nil || base.hasVersion && frontEnd < suffix {
            return nil
        }
        path.projectID = try projectID(base.projectID)
        return path
    }

    /// `/models/{id}` without tags, where the id has slashes of its own.
    private func untaggedModel() throws(ModelPathError) -> ModelPath? {
        guard let base = base(upTo: bytes.count), base.attempt == nil, isSegment(base.next, "models"),
            base.next.upperBound + 1 < bytes.count
        else { return nil }
        return ModelPath(
            api: .models, apiSuffix: String(decoding: bytes[(base.next.lowerBound - 1)...], as: UTF8.self),
            metadata: nil, projectID: try projectID(base.projectID), upstreamBaseURL: nil)
    }

    private func base(upTo end: Int) -> Base? {
        var base = Base(next: end..<end)
        var position = 0
        while let segment = segment(at: &position, upTo: end) {
            if isSegment(segment, "v1") {
                guard !base.hasVersion else { return nil }
                base.hasVersion = true
            } else if isSegment(segment, "project_id") {
                guard base.projectID == nil, let value = self.segment(at: &position, upTo: end) else { return nil }
                base.projectID = value
            } else if isSegment(segment, "attempt") {
                guard base.attempt == nil, let value = self.segment(at: &position, upTo: end) else { return nil }
                base.attempt = value
            } else {
                base.next = segment
                return base
            }
        }
        return position == end ? base : nil
    }

    /// The next segment, past any number of slashes; `nil` at the end or when no slash comes first.
    private func segment(at position: inout Int, upTo end: Int) -> Range<Int>? {
        guard position < end, bytes[position] == UInt8(ascii: "/") else { return nil }
        while position < end, bytes[position] == UInt8(ascii: "/") { position += 1 }
        let start = position
        while position < end, bytes[position] != UInt8(ascii: "/") { position += 1 }
        return start == position ? nil : start..<position
    }

    private func isSegment(_ range: Range<Int>, _ name: StaticString) -> Bool {
        guard range.count == name.utf8CodeUnitCount else { return false }
        for offset in 0..<range.count where bytes[range.lowerBound + offset] != name.utf8Start[offset] { return false }
        return true
    }

    // MARK: The ids

    private struct Tags {
        var rolloutID, invocationID, experimentID, runID, rowID: Range<Int>
        var encodedBaseURL: Range<Int>?
    }

    /// The ids behind the name `rollout_id`, whose end is `position`.
    private func tags(at position: Int, upTo end: Int) -> Tags? {
        var position = position
        guard let rolloutID = id(at: &position, upTo: end),
            skip("/invocation_id", at: &position, upTo: end), let invocationID = id(at: &position, upTo: end),
            skip("/experiment_id", at: &position, upTo: end), let experimentID = id(at: &position, upTo: end),
            skip("/run_id", at: &position, upTo: end), let runID = id(at: &position, upTo: end),
            skip("/row_id/", at: &position, upTo: end), position < end
        else { return nil }
        var tags = Tags(
            rolloutID: rolloutID, invocationID: invocationID, experimentID: experimentID, runID: runID,
            rowID: position..<end)
        let name = Self.encodedBaseURL
        var start = end - name.count
        while start >= position - 1 {
            if bytes[start] == name[0], bytes[start..<start + name.count].elementsEqual(name) {
                guard start > position else { return nil }
                tags.rowID = position..<start
                tags.encodedBaseURL = start + name.count..<end
                break
            }
            start -= 1
        }
        return tags
    }

    /// A slash and an id after it, up to the next slash.
    private func id(at position: inout Int, upTo end: Int) -> Range<Int>? {
        guard skip("/", at: &position, upTo: end) else { return nil }
        let start = position
        while position < end, bytes[position] != UInt8(ascii: "/") { position += 1 }
        return start == position ? nil : start..<position
    }

    private func skip(_ text: StaticString, at position: inout Int, upTo end: Int) -> Bool {
        let count = text.utf8CodeUnitCount
        guard position + count <= end, isSegment(position..<position + count, text) else { return false }
        position += count
        return true
    }

    // MARK: Values

    private func id(_ name: String, _ range: Range<Int>) throws(ModelPathError) -> String {
        guard let id = PercentEncoding.decoded(bytes[range]) else { throw .notUTF8(name: name) }
        guard id.utf8.count <= maximumIDBytes else { throw .idTooLong(name: name, limit: maximumIDBytes) }
        return id
    }

    private func projectID(_ range: Range<Int>?) throws(ModelPathError) -> String? {
        guard let range else { return nil }
        return try id("project_id", range)
    }

    private func attempt(_ range: Range<Int>?) throws(ModelPathError) -> AttemptID? {
        guard let range else { return nil }
        guard let text = PercentEncoding.decoded(bytes[range]), let attempt = AttemptID(text) else {
            throw .badAttempt
        }
        return attempt
    }

    private func upstreamBaseURL(_ range: Range<Int>) throws(ModelPathError) -> String {
        guard let encoded = PercentEncoding.decoded(bytes[range]), !encoded.isEmpty,
            let decoded = Base64.decoded(encoded.utf8, alphabet: .urlSafe),
            var url = String(validating: decoded, as: UTF8.self)
        else { throw .encodedBaseURLNotBase64 }
        while url.utf8.last == UInt8(ascii: "/") { url.removeLast() }
        let host = url.dropSchemePrefix()
        guard let first = host?.utf8.first, first != UInt8(ascii: "/"), first != UInt8(ascii: ":"),
            // Nothing that could end a request line or a header.
            url.utf8.allSatisfy({ $0 > 0x20 && $0 != 0x7F })
        else { throw .encodedBaseURLNotHTTP }
        return url
    }
}

extension String {
    /// What follows `http://` or `https://`; `nil` for other schemes.
    fileprivate func dropSchemePrefix() -> Substring? {
        for scheme in ["http://", "https://"] where prefix(scheme.count).lowercased() == scheme {
            return dropFirst(scheme.count)
        }
        return nil
    }
}
