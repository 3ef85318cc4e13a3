// Part of Rollcall. SPDX-License-Identifier: Apache-2.0

import EvalProtocol

/// The secret that stands in front of an environment's paths, for callers that can be given an address but no key.
struct PathSecret: Sendable {
    static let minimumLength = 16
    /// The name of the segment in routes, which is shown in its place, too.
    static let parameter = "path-secret"

    private let secret: SecretText

    /// - Throws: ``RolloutEnvironment/ConfigurationError`` for one that is short or would not stay as it is in a URL.
    init(_ text: String) throws(RolloutEnvironment.ConfigurationError) {
        guard text.utf8.count >= Self.minimumLength, text.utf8.allSatisfy(Self.isAllowed) else {
            throw RolloutEnvironment.ConfigurationError(
                .pathSecret,
                "the path secret must be at least \(Self.minimumLength) characters of A-Z, a-z, 0-9, '-', '_', '.' and "
                    + "'~'; openssl rand -hex 16 makes one")
        }
        secret = SecretText(text)
    }

    /// Whether a path's first segment is the secret.
    func equals(_ segment: Substring?) -> Bool { secret.equals(ArraySlice((segment ?? "").utf8)) }

    private static func isAllowed(_ byte: UInt8) -> Bool {
        switch byte {
        case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
            UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "-"), UInt8(ascii: "_"), UInt8(ascii: "."),
            UInt8(ascii: "~"):
            true
        default: false
        }
    }
}
