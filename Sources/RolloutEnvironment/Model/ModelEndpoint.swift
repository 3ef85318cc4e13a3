// Part of Rollcall. SPDX-License-Identifier: Apache-2.0

/// Where model calls go, and with which key.
package struct ModelEndpoint: Sendable {
    /// Without `/chat/completions` and without a final slash.
    package var baseURL: String
    package var apiKey: String?

    package init(baseURL: String, apiKey: String?) {
        self.baseURL = baseURL
        self.apiKey = apiKey
    }

    package var url: String { "\(baseURL)/chat/completions" }

    /// The URL's scheme, host and port, for messages: paths hold ids, and user names may hold secrets.
    package var origin: String { WebOrigin(baseURL)?.description ?? "the model server" }
}

/// A key that belongs to one origin.
package struct OriginKey: Sendable {
    package var url: String
    package var key: String?

    package init(url: String, key: String?) {
        self.url = url
        self.key = key
    }

    /// The key for `other`, if that has this one's origin.
    package func key(for other: String) -> String? {
        guard let key, !key.isEmpty, let origin = WebOrigin(url), origin == WebOrigin(other) else { return nil }
        return key
    }
}
