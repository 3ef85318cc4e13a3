// Part of Rollcall. SPDX-License-Identifier: Apache-2.0

import EvalProtocol

/// A path that was taken apart and put together again says the same, and so does a tagged URL.
enum PathFuzz: FuzzTarget {
    static let name = "paths"

    private static let tags = "/rollout_id/r%20x/invocation_id/i/experiment_id/e/run_id/run/row_id/w"

    static let seeds = [
        "\(tags)/chat/completions", "/v1/project_id/p/attempt/a1\(tags)/v1/chat/completions",
        "\(tags)/encoded_base_url/aHR0cDovL2xvY2FsaG9zdDo4MDAwL3Yx/v1/models/a", "/v1/models/a/b%2Fc",
        "/v1/chat/completions",
        "http://localhost:8787/v1/attempt/a1\(tags)/v1", "HTTP://h//project_id/p//rollout_id/a/b\(tags)//",
    ].map { Array($0.utf8) }

    private static let attempt = AttemptID("fuzz")

    static func run(_ input: [UInt8]) {
        let text = String(decoding: input, as: UTF8.self)
        require(
            PercentEncoding.decoded(Array(PercentEncoding.encoded(text).utf8)[...]) == text,
            "a text is the same once encoded and decoded")
        if let path = try? ModelPath(parsing: text) { check(path) }
        if let url = TaggedURL(text) { check(url) }
    }

    private static func check(_ path: ModelPath) {
        require(path.apiSuffix.hasPrefix("/"), "an API's name begins with a slash")
        guard let metadata = path.metadata else { return }
        for (name, id) in metadata.ids {
            require((1...ModelPath.maximumIDBytes).contains(id.utf8.count), "\(name) has a length that is allowed")
        }
        let front = TaggedURL.make(
            gatewayURL: "", metadata: metadata, attempt: metadata.attempt, upstreamBaseURL: path.upstreamBaseURL)
        guard let again = try? ModelPath(parsing: front + path.apiSuffix) else { fatalError("\(front) cannot be read") }
        require(again.metadata == metadata, "ids are the same once written and read")
        require(again.upstreamBaseURL == path.upstreamBaseURL, "the upstream is the same once written and read")
        require(again.api == path.api && again.apiSuffix == path.apiSuffix, "the API is the same once written and read")
    }

    private static func check(_ url: TaggedURL) {
        guard let attempt else { return }
        guard let again = TaggedURL(url.inserting(attempt)) else { fatalError("with an attempt the URL is not tagged") }
        require(again.attempt == url.attempt ?? attempt, "an attempt is inserted where there is none")
        var metadata = again.metadata
        metadata.attempt = url.attempt
        require(metadata == url.metadata, "inserting an attempt changes no id")
        require(
            again.gatewayURL == url.gatewayURL && again.origin == url.origin, "inserting an attempt moves no gateway")
        require(again.projectID == url.projectID, "inserting an attempt changes no project")
    }
}
