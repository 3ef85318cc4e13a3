// Part of Rollcall. SPDX-License-Identifier: Apache-2.0

/// A `model_base_url` with a rollout's ids in its path, taken apart and put together.
public struct TaggedURL: Sendable, Hashable {
    /// What stands before `/attempt`, `/project_id` or `/rollout_id`, less a final `/v1` and slashes.
    public private(set) var gatewayURL: String
    /// The gateway's `scheme://host[:port]`, in lower case.
    public private(set) var origin: String
    /// The rollout's ids, with the attempt if the URL names one.
    public private(set) var metadata: RolloutMetadata
    /// The project, if the URL names one.
    public private(set) var projectID: String?

    /// The execution of the rollout, if the URL names one.
    public var attempt: AttemptID? { metadata.attempt }

    private let text: String
    /// Where `/rollout_id/` begins in the text's UTF-8.
    private let tagsStart: Int

    /// Takes a URL apart.
    ///
    /// - Parameter modelBaseURL: The URL as an environment got it; ids may, but need not be percent-encoded.
    /// - Returns: `nil` when the URL is not tagged.
    public init?(_ modelBaseURL: String) {
        var trimmed = modelBaseURL
        while trimmed.utf8.last == UInt8(ascii: "/") { trimmed.removeLast() }
        let bytes = Array(trimmed.utf8)
        guard let origin = Self.origin(of: bytes) else { return nil }
        // The first place from where on the URL reads as the path of a model call is where its tags begin.
        var found: (start: Int, path: ModelPath)?
        var start = origin
        while found == nil, let next = Self.firstIndex(of: "/rollout_id/", in: bytes, from: start) {
            let path = String(decoding: bytes[next...], as: UTF8.self) + "/chat/completions"
            if let path = try? ModelPath(parsing: path) { found = (next, path) }
            start = next + 1
        }
        guard let found, var metadata = found.path.metadata else { return nil }

        var front = Front(end: found.start)
        front.read(bytes, downTo: origin)
        if let range = front.attempt {
            guard let attempt = PercentEncoding.decoded(bytes[range]).flatMap({ AttemptID($0) }) else { return nil }
            metadata.attempt = attempt
        }
        projectID = front.projectID.flatMap { PercentEncoding.decoded(bytes[$0]) }
        gatewayURL = String(decoding: bytes[..<front.end], as: UTF8.self)
        self.origin = String(decoding: bytes[..<origin], as: UTF8.self).lowercased()
        self.metadata = metadata
        text = modelBaseURL
        tagsStart = found.start
    }

    /// The URL with `/attempt/{id}` directly before `/rollout_id/`; as it is, if it names an attempt already.
    public func inserting(_ attempt: AttemptID) -> String {
        guard self.attempt == nil else { return text }
        let place = text.utf8.index(text.startIndex, offsetBy: tagsStart)
        return "\(text[..<place])/attempt/\(attempt)\(text[place...])"
    }

    /// Puts a tagged URL together; ids are percent-encoded.
    ///
    /// - Parameters:
    ///   - gatewayURL: With or without trailing slashes.
    ///   - attempt: Written into the path only if given here, whatever `metadata` says: not every gateway takes it.
    ///   - upstreamBaseURL: `completion_params.base_url`, written as `encoded_base_url`.
    public static func make(
        gatewayURL: String, metadata: RolloutMetadata, attempt: AttemptID? = nil, upstreamBaseURL: String? = nil
    ) -> String {
        var url = gatewayURL
        while url.utf8.last == UInt8(ascii: "/") { url.removeLast() }
        if let attempt { url += "/attempt/\(attempt)" }
        for (name, id) in metadata.ids { url += "/\(name)/\(PercentEncoding.encoded(id))" }
        if let upstreamBaseURL {
            url += "/encoded_base_url/\(Base64.encoded(upstreamBaseURL.utf8, alphabet: .urlSafe))"
        }
        return url
    }

    // MARK: Taking apart

    /// Where the path begins: the end of `scheme://host[:port]`.
    private static func origin(of bytes: [UInt8]) -> Int? {
        guard let colon = firstIndex(of: "://", in: bytes, from: 0), colon > 0 else { return nil }
        let host = colon + 3
        let end = bytes[host...].firstIndex(of: UInt8(ascii: "/")) ?? bytes.count
        return end > host ? end : nil
    }

    private static func firstIndex(of text: StaticString, in bytes: [UInt8], from start: Int) -> Int? {
        let count = text.utf8CodeUnitCount
        var index = start
        while index + count <= bytes.count {
            if (0..<count).allSatisfy({ bytes[index + $0] == text.utf8Start[$0] }) { return index }
            index += 1
        }
        return nil
    }

    /// What stands before the tags, read backwards.
    private struct Front {
        /// Where the gateway's URL ends.
        var end: Int
        var attempt: Range<Int>?
        var projectID: Range<Int>?

        mutating func read(_ bytes: [UInt8], downTo start: Int) {
            var hasVersion = false
            while true {
                while end > start, bytes[end - 1] == UInt8(ascii: "/") { end -= 1 }
                let last = lastSegment(bytes, downTo: start, before: end)
                if !hasVersion, bytes[last].elementsEqual("v1".utf8) {
                    hasVersion = true
                    end = last.lowerBound - 1
                    continue
                }
                guard last.lowerBound - 1 > start else { return }
                let name = lastSegment(bytes, downTo: start, before: last.lowerBound - 1)
                if attempt == nil, bytes[name].elementsEqual("attempt".utf8) {
                    attempt = last
                } else if projectID == nil, bytes[name].elementsEqual("project_id".utf8) {
                    projectID = last
                } else {
                    return
                }
                end = name.lowerBound - 1
            }
        }

        private func lastSegment(_ bytes: [UInt8], downTo start: Int, before end: Int) -> Range<Int> {
            var index = end
            while index > start, bytes[index - 1] != UInt8(ascii: "/") { index -= 1 }
            return index..<end
        }
    }
}
