// Part of Rollcall. SPDX-License-Identifier: Apache-2.0

/// Scheme, host and port of an `http` or `https` URL.
package struct WebOrigin: Sendable, Hashable, CustomStringConvertible {
    package let description: String

    /// Fails for anything but an absolute `http` or `https` URL with a host.
    package init?(_ url: String) {
        guard let colon = url.firstRange(of: "://") else { return nil }
        let scheme = url[..<colon.lowerBound].lowercased()
        guard scheme == "http" || scheme == "https" else { return nil }
        var authority = url[colon.upperBound...].prefix { $0 != "/" && $0 != "?" && $0 != "#" }
        if let at = authority.lastIndex(of: "@") { authority = authority[authority.index(after: at)...] }
        guard !authority.isEmpty, authority.first != ":" else { return nil }
        let hasPort = authority.last != "]" && authority.contains(":") && !authority.hasSuffix(":")
        let bare = authority.hasSuffix(":") ? authority.dropLast() : authority
        description = "\(scheme)://\(bare.lowercased())\(hasPort ? "" : scheme == "http" ? ":80" : ":443")"
    }
}
