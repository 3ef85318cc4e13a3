// Part of Rollcall. SPDX-License-Identifier: Apache-2.0

/// The path of a request to a gateway's model API, with the ids of the rollout it belongs to, if it is tagged:
///
///     [/v1][/project_id/{p}][/attempt/{a}]/rollout_id/{}/invocation_id/{}/experiment_id/{}/run_id/{}/row_id/{}
///         [/encoded_base_url/{e}][/v1]/chat/completions
public struct ModelPath: Sendable, Hashable {
    /// What a model is asked for, as the end of the path names it.
    public enum API: String, Sendable, CaseIterable {
        case chatCompletions = "chat/completions"
        case completions, responses, messages, models, embeddings
    }

    /// No id may be longer than this in UTF-8, where nothing else is said.
    public static let maximumIDBytes = 256

    /// What is asked for.
    public var api: API
    /// The suffix as it stood, without a `/v1` before it: `/chat/completions`, `/models/abc`.
    public var apiSuffix: String
    /// The rollout's ids, with the attempt if the path names one; `nil` for an untagged path.
    public var metadata: RolloutMetadata?
    /// Echoed in answers, never a filter.
    public var projectID: String?
    /// Where the model is, when the path says so: an `http:` or `https:` URL without trailing slashes.
    public var upstreamBaseURL: String?

    /// Takes a path apart.
    ///
    /// - Parameters:
    ///   - path: The path without its query, still percent-encoded.
    ///   - maximumIDBytes: How long an id may be in UTF-8.
    /// - Returns: `nil` when this is not a path of the model API; one with only some of the five ids is none.
    /// - Throws: ``ModelPathError`` when it is one, but has an id, an attempt or a URL that cannot be used.
    public init?(
        parsing path: String, maximumIDBytes: Int = ModelPath.maximumIDBytes
    ) throws(ModelPathError) {
        guard let found = try ModelPathParser(path, maximumIDBytes: maximumIDBytes).parse() else { return nil }
        self = found
    }

    init(
        api: API, apiSuffix: String, metadata: RolloutMetadata?, projectID: String?, upstreamBaseURL: String?
    ) {
        self.api = api
        self.apiSuffix = apiSuffix
        self.metadata = metadata
        self.projectID = projectID
        self.upstreamBaseURL = upstreamBaseURL
    }
}
