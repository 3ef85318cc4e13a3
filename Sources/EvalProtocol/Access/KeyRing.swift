// Part of Rollcall. SPDX-License-Identifier: Apache-2.0

/// The bearer keys that a server takes, each with the name of the account it belongs to, where accounts matter.
///
/// Keys are kept in memory only, compared in constant time, and never printed.
package struct KeyRing: Sendable {
    private struct Entry: Sendable {
        let key: SecretText
        let account: String
    }

    /// The account of keys without one, and of a server without keys.
    package static let defaultAccount = "default"

    private var entries: [Entry]

    /// Takes any bearer, or none.
    package static let open = KeyRing(entries: [])

    private init(entries: [Entry]) { self.entries = entries }

    /// Keys of the account `default`, whatever else is in them. Without a key the ring is open.
    package init(keys: [String]) {
        entries = keys.filter { !$0.isEmpty }.map { Entry(key: SecretText($0), account: Self.defaultAccount) }
    }

    /// Keys separated by commas, all of the account `default`. Without a key in it the ring is open.
    package init(list: String) {
        // By bytes: a comma and an accent after it are one character.
        self.init(
            keys: list.utf8.split(separator: UInt8(ascii: ",")).map { part in
                String(decoding: ArraySlice(part).trimmed, as: UTF8.self)
            })
    }

    /// The contents of a keys file: a line `KEY [ACCOUNT]` each; empty lines and lines that begin with `#` are skipped.
    ///
    /// - Parameter name: the file's name, for the error.
    /// - Throws: ``KeyFileError`` for a line of more than two words, and for a file without a key.
    package init(file contents: String, name: String) throws(KeyFileError) {
        entries = []
        for (index, line) in contents.split(omittingEmptySubsequences: false, whereSeparator: \.isNewline)
            .enumerated()
        {
            let words = line.split(whereSeparator: \.isWhitespace)
            guard let key = words.first, !key.hasPrefix("#") else { continue }
            guard words.count <= 2 else {
                throw KeyFileError("line \(index + 1) of \(name) has \(words.count) words; a line is KEY [ACCOUNT]")
            }
            entries.append(
                Entry(key: SecretText(String(key)), account: words.count == 2 ? String(words[1]) : Self.defaultAccount))
        }
        guard !entries.isEmpty else {
            throw KeyFileError("\(name) has no key in it; give it a line KEY [ACCOUNT], or do without the file")
        }
    }

    /// Both rings' keys; one that both have belongs to the account of the other.
    package func adding(_ other: KeyRing) -> KeyRing { KeyRing(entries: entries + other.entries) }

    /// Whether any bearer passes.
    package var isOpen: Bool { entries.isEmpty }

    /// The keys themselves, to hand them on to another ring and to blot them out where they might be shown.
    package var keys: [String] { entries.map(\.key.text) }

    /// The account of an `Authorization` header's value, `nil` when its key is none of the ring's.
    package func accountName(authorization: ArraySlice<UInt8>?) -> String? {
        if entries.isEmpty { return Self.defaultAccount }
        guard let authorization, let key = Self.bearer(authorization) else { return nil }
        return accountName(key: key)
    }

    /// Whether a key, or the key of an `Authorization` header's value, is one of the ring's, or the ring is open.
    package func accepts(authorization: String?, key: String? = nil) -> Bool {
        if accountName(authorization: authorization.map { ArraySlice($0.utf8) }) != nil { return true }
        return key.flatMap { accountName(key: ArraySlice($0.utf8)) } != nil
    }

    /// Every key is compared, whichever fits.
    private func accountName(key: ArraySlice<UInt8>) -> String? {
        var found: String?
        for entry in entries where entry.key.equals(key) { found = entry.account }
        return found
    }

    private static func bearer(_ authorization: ArraySlice<UInt8>) -> ArraySlice<UInt8>? {
        guard let space = authorization.firstIndex(of: UInt8(ascii: " ")),
            authorization[..<space].elementsEqual("bearer".utf8, by: { $0 | 0x20 == $1 })
        else { return nil }
        return authorization[(space + 1)...].trimmed
    }
}

extension KeyRing: CustomStringConvertible {
    package var description: String { isOpen ? "any key" : "\(entries.count) keys" }
}

/// A keys file that cannot be used.
package struct KeyFileError: Error, Sendable, Hashable, CustomStringConvertible {
    /// What is wrong and what to write instead; without keys.
    package let description: String

    init(_ description: String) { self.description = description }
}

extension ArraySlice<UInt8> {
    /// Without spaces, and what else is no character, at both ends.
    fileprivate var trimmed: ArraySlice<UInt8> {
        var bytes = drop { $0 <= 0x20 }
        while let last = bytes.last, last <= 0x20 { bytes.removeLast() }
        return bytes
    }
}
