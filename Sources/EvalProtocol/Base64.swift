// Part of Rollcall. SPDX-License-Identifier: Apache-2.0

import Foundation

/// Base64 as RFC 4648 has it: the standard alphabet of payloads, and the URL-safe one of paths.
package enum Base64 {
    package enum Alphabet: Sendable {
        case standard
        /// With `-` and `_` for `+` and `/`.
        case urlSafe
    }

    /// The bytes in Base64, with padding.
    package static func encoded(_ bytes: some Collection<UInt8>, alphabet: Alphabet = .standard) -> String {
        let text = Data(bytes).base64EncodedString()
        guard alphabet == .urlSafe else { return text }
        return text.replacing("+", with: "-").replacing("/", with: "_")
    }

    /// The bytes that `text` stands for.
    ///
    /// - Returns: `nil` for a character of another alphabet, a wrong length, or padding elsewhere than at the end.
    ///   URL-safe text may leave the padding out.
    package static func decoded(_ text: some Collection<UInt8>, alphabet: Alphabet = .standard) -> [UInt8]? {
        var standard = Data(text)
        if alphabet == .urlSafe {
            guard !standard.contains(UInt8(ascii: "+")), !standard.contains(UInt8(ascii: "/")) else { return nil }
            for (index, byte) in standard.enumerated() {
                switch byte {
                case UInt8(ascii: "-"): standard[index] = UInt8(ascii: "+")
                case UInt8(ascii: "_"): standard[index] = UInt8(ascii: "/")
                default: break
                }
            }
            if !standard.contains(UInt8(ascii: "=")) {
                standard.append(contentsOf: repeatElement(UInt8(ascii: "="), count: (4 - standard.count % 4) % 4))
            }
        }
        return Data(base64Encoded: standard).map { Array($0) }
    }
}
