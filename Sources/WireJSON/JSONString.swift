// Part of Rollcall. SPDX-License-Identifier: Apache-2.0

/// A JSON string, which unlike a `String` can hold lone surrogates (JavaScript sends them).
///
/// Two strings are equal when they hold the same code units, unlike `String`s, of which `é` has two equal forms.
public struct JSONString: Sendable, ExpressibleByStringLiteral, CustomStringConvertible {
    /// The text, with U+FFFD for every lone surrogate.
    public private(set) var text: String

    /// The UTF-16 code units, only when there is a lone surrogate among them.
    private(set) var codeUnits: [UInt16]?

    /// Makes a string of a text.
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

    /// Appends another string. Two halves of a surrogate pair that meet become the character they stand for.
    public mutating func append(_ other: JSONString) {
        if codeUnits == nil, other.codeUnits == nil {
            text += other.text
        } else {
            self = JSONString(utf16: (codeUnits ?? Array(text.utf16)) + (other.codeUnits ?? Array(other.text.utf16)))
        }
    }

    /// Whether ``text`` is `other`, code unit for code unit.
    @inline(__always)
    func hasText(_ other: String) -> Bool {
        // The comparison of strings is the quick one, and nearly always the one that says no.
        text.utf8.count == other.utf8.count && text == other && text.utf8.elementsEqual(other.utf8)
    }
}

extension JSONString: Hashable {
    public static func == (left: JSONString, right: JSONString) -> Bool {
        left.hasText(right.text) && left.codeUnits == right.codeUnits
    }

    public func hash(into hasher: inout Hasher) { hasher.combine(text) }
}
