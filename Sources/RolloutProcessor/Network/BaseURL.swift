// Part of Rollcall. SPDX-License-Identifier: Apache-2.0

import FoundationEssentials

/// Base URLs as people write them, checked and without what would double a slash.
package enum BaseURL {
    /// - Throws: ``ConfigurationError`` for anything but an absolute `http` or `https` URL with a host.
    package static func normalize(_ text: String, setting: String) throws -> String {
        var base = text.trimmed()
        while base.hasSuffix("/") { base.removeLast() }
        guard let url = URL(string: base), let scheme = url.scheme?.lowercased(), ["http", "https"].contains(scheme),
            let host = url.host, !host.isEmpty
        else {
            throw ConfigurationError(
                setting: setting, reason: "\"\(text)\" is no URL such as http://localhost:3000; begin it with http://")
        }
        guard url.query == nil, url.fragment == nil else {
            throw ConfigurationError(setting: setting, reason: "\"\(text)\" must not have a query or a fragment")
        }
        return base
    }

    /// A normalized URL for people: a path may hold a secret, and is left out.
    static func shown(_ base: String) -> String {
        guard let url = URL(string: base), let scheme = url.scheme, let host = url.host, !url.path.isEmpty else {
            return base
        }
        let port = url.port.map { ":\($0)" } ?? ""
        return "\(scheme)://\(host.contains(":") && !host.hasPrefix("[") ? "[\(host)]" : host)\(port)/…"
    }

    /// The gateway's own address: a final `/v1` belongs to the model API alone.
    package static func normalizeGateway(_ text: String, setting: String) throws -> String {
        var base = try normalize(text, setting: setting)
        if base.hasSuffix("/v1") { base.removeLast(3) }
        while base.hasSuffix("/") { base.removeLast() }
        return base
    }
}

extension String {
    package func trimmed() -> String {
        var text = Substring(self)
        while let first = text.first, first.isWhitespace { text.removeFirst() }
        while let last = text.last, last.isWhitespace { text.removeLast() }
        return String(text)
    }
}
