// Part of Rollcall. SPDX-License-Identifier: Apache-2.0

/// The keys that must not leave the process in a status, a log line of ours or an error.
package struct Secrets: Sendable {
    private let values: [String]

    /// Texts under eight characters are left out: blotting those out would only garble messages.
    package init(_ values: [String?]) {
        self.values = Set(values.compactMap(\.self).filter { $0.utf8.count >= 8 })
            .sorted { $0.utf8.count > $1.utf8.count }
    }

    /// With more of them.
    package func adding(_ more: [String]) -> Secrets { Secrets(values + more) }

    /// `text` with every key replaced by `[redacted]`, and no longer than `limit` characters.
    package func redact(_ text: String, limit: Int = 2_000) -> String {
        var text = text
        for value in values where text.contains(value) { text = Self.replacing(value, in: text) }
        return limit == .max || text.count <= limit ? text : "\(text.prefix(limit - 1))…"
    }

    private static func replacing(_ value: String, in text: String) -> String {
        var result = ""
        var rest = text[...]
        while let range = rest.firstRange(of: value) {
            result += rest[..<range.lowerBound]
            result += "[redacted]"
            rest = rest[range.upperBound...]
        }
        return result + rest
    }
}
