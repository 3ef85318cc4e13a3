// Part of Rollcall. SPDX-License-Identifier: Apache-2.0

/// Why a question to a gateway has no answer.
public struct TracingClientError: Error, Sendable, Hashable, CustomStringConvertible {
    public enum Kind: Sendable, Hashable {
        /// There was no answer, or not in time.
        case unreachable
        /// The gateway answered with this HTTP status.
        case refused(Int)
        /// The answer is not what the contract says.
        case unreadable
        /// The gateway has no such route.
        case unsupported
    }

    public var kind: Kind
    /// What was asked for, without its query.
    public var url: String
    /// What was found, in a few words.
    public var reason: String

    init(_ kind: Kind, url: String, _ reason: String) {
        self.kind = kind
        self.url = String(url.prefix { $0 != "?" })
        self.reason = reason
    }

    /// The HTTP status, when the gateway refused.
    public var code: Int? {
        if case .refused(let code) = kind { code } else { nil }
    }

    public var description: String {
        switch kind {
        case .unreachable: "The gateway cannot be reached at \(url): \(reason)."
        case .refused(401), .refused(403):
            "The gateway refused the key at \(url): \(reason) (set FIREWORKS_API_KEY to one that it knows)."
        case .refused(let code): "The gateway answered \(url) with \(code): \(reason)."
        case .unreadable: "The gateway's answer to \(url) cannot be read: \(reason)."
        case .unsupported: "The gateway has no \(url): \(reason)."
        }
    }
}
