// Part of Rollcall. SPDX-License-Identifier: Apache-2.0

/// A gateway that takes log lines, and the key it is shown.
public struct LogDestination: Sendable, Hashable {
    /// The address that `/logs` is appended to, without a slash at its end.
    public let gatewayURL: String

    /// Sent as `Authorization: Bearer`; without it no such header is sent.
    public let apiKey: String?

    /// - Parameters:
    ///   - gatewayURL: Slashes at its end are removed.
    ///   - apiKey: An empty one counts as none.
    public init(gatewayURL: String, apiKey: String? = nil) {
        var url = Substring(gatewayURL)
        while url.hasSuffix("/") { url.removeLast() }
        self.gatewayURL = String(url)
        self.apiKey = apiKey.flatMap { $0.isEmpty ? nil : $0 }
    }

    /// `scheme://host[:port]` of the gateway in lower case.
    public var origin: String {
        guard let scheme = gatewayURL.firstRange(of: "://") else { return gatewayURL.lowercased() }
        let authority = gatewayURL[scheme.upperBound...].prefix { $0 != "/" && $0 != "?" && $0 != "#" }
        return (gatewayURL[..<scheme.upperBound] + authority).lowercased()
    }
}

extension LogDestination: CustomStringConvertible, CustomDebugStringConvertible, CustomReflectable {
    /// The address alone: a key never shows in a text.
    public var description: String { gatewayURL }
    public var debugDescription: String { gatewayURL }
    public var customMirror: Mirror { Mirror(self, children: ["gatewayURL": gatewayURL]) }
}
