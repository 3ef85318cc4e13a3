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

    package var url: String { "\(Self.escaped(baseURL))/chat/completions" }

    /// `url` with everything percent-encoded that may not stand in one: ids come into tagged URLs as they are.
    private static func escaped(_ url: String) -> String {
        let isTagged = url.contains("/rollout_id/")
        let bytes = Array(url.utf8)
        var result: [UInt8] = []
        for (index, byte) in bytes.enumerated() {
            let isEscape =
                byte == UInt8(ascii: "%") && bytes.count > index + 2
                && bytes[(index + 1)...(index + 2)].allSatisfy { Character(UnicodeScalar($0)).isHexDigit }
            let isForbidden =
                byte <= 0x20 || byte >= 0x7F || "\"<>\\^`{|}".utf8.contains(byte)
                || (byte == UInt8(ascii: "%") && !isEscape)
                || (isTagged && (byte == UInt8(ascii: "?") || byte == UInt8(ascii: "#")))
            if isForbidden {
                let digits = Array(String(byte, radix: 16, uppercase: true).utf8)
                result.append(UInt8(ascii: "%"))
                if digits.count == 1 { result.append(UInt8(ascii: "0")) }
                result.append(contentsOf: digits)
            } else {
                result.append(byte)
            }
        }
        return String(decoding: result, as: UTF8.self)
    }

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
