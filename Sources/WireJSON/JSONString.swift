// Part of Rollcall. SPDX-License-Identifier: Apache-2.0

/// A JSON string, which unlike a `String` can hold lone surrogates (JavaScript sends them).
public struct JSONString: Sendable, Hashable, ExpressibleByStringLiteral, CustomStringConvertible {
    /// The text, with U+FFFD for every lone surrogate.
    public let text: String

    /// The UTF-16 code units, only when there is a lone surrogate among them.
    let codeUnits: [UInt16]?

    public init(_ text: String) {
        self.text = text
        codeUnits = nil
    }

    /// Makes a string of UTF-16 code units, which may hold lone surrogates.
    public init(utf16 units: [UInt16]) {
        text = String(decoding: units, as: UTF16.self)
        codeUnits = text.utf16.elementsEqual(units) ? nil : units
    }

    public init(stringLiteral value: String) { self.init(value) }

    /// Whether the string holds a lone surrogate, which ``text`` cannot show.
    public var hasLoneSurrogate: Bool { codeUnits != nil }

    public var description: String { text }
}
