// Part of Rollcall. SPDX-License-Identifier: Apache-2.0

package import TraceStore

/// The bearer keys that a gateway takes, each with the account it belongs to.
///
/// Keys are kept in memory only, compared in constant time, and never printed.
package struct KeyRing: Sendable {
    private struct Entry: Sendable {
        let key: [UInt8]
        let account: Account
    }

    private var entries: [Entry]

    /// Takes any bearer, or none, as the account `default`.
    package static let open = KeyRing(entries: [])

    private init(entries: [Entry]) { self.entries = entries }

    /// Keys separated by commas, all of the account `default`. Without a key in it the ring is open.
    package init(list: String) {
        // By bytes: a comma and an accent after it are one character.
        entries = list.utf8.split(separator: UInt8(ascii: ",")).compactMap { part in
            let key = Array(part.trimmed)
            return key.isEmpty ? nil : Entry(key: key, account: .default)
        }
    }

    /// The contents of a keys file: a line `KEY [ACCOUNT]` each; empty lines and lines that begin with `#` are skipped.
    ///
    /// - Parameter name: the file's name, for the error.
    /// - Throws: ``ProxyConfigurationError`` for a line of more than two words, and for a file without a key.
    package init(file contents: String, name: String) throws(ProxyConfigurationError) {
        entries = []
        for (index, line) in contents.split(omittingEmptySubsequences: false, whereSeparator: \.isNewline)
            .enumerated()
        {
            let words = line.split(whereSeparator: \.isWhitespace)
            guard let key = words.first, !key.hasPrefix("#") else { continue }
            guard words.count <= 2 else {
                throw ProxyConfigurationError(
                    flag: "--api-keys-file",
                    "line \(index + 1) of \(name) has \(words.count) words; a line is KEY [ACCOUNT]")
            }
            entries.append(
                Entry(key: Array(key.utf8), account: words.count == 2 ? Account(String(words[1])) : .default))
        }
        guard !entries.isEmpty else {
            throw ProxyConfigurationError(
                flag: "--api-keys-file", "\(name) has no key in it; give it a line KEY [ACCOUNT], or leave the flag out"
            )
        }
    }

    /// Both rings' keys; one that both have belongs to the account of the other.
    package func adding(_ other: KeyRing) -> KeyRing { KeyRing(entries: entries + other.entries) }

    /// Whether any bearer passes.
    package var isOpen: Bool { entries.isEmpty }

    /// The account of an `Authorization` header's value, `nil` when its key is none of the ring's.
    package func account(authorization: String?) -> Account? {
        account(bytes: authorization.map { ArraySlice($0.utf8) })
    }

    /// The same for the value's bytes.
    func account(bytes authorization: ArraySlice<UInt8>?) -> Account? {
        if entries.isEmpty { return .default }
        guard let authorization, let key = Self.bearer(authorization) else { return nil }
        var found: Account?
        for entry in entries where Self.areEqual(entry.key, key) { found = entry.account }
        return found
    }

    private static func bearer(_ authorization: ArraySlice<UInt8>) -> ArraySlice<UInt8>? {
        guard let space = authorization.firstIndex(of: UInt8(ascii: " ")),
            authorization[..<space].elementsEqual("bearer".utf8, by: { $0.lowercased == $1 })
        else { return nil }
        return authorization[(space + 1)...].trimmed
    }

    /// Takes the same time wherever two keys of one length differ.
    private static func areEqual(_ left: [UInt8], _ right: ArraySlice<UInt8>) -> Bool {
        guard left.count == right.count else { return false }
        var difference: UInt8 = 0
        for (one, other) in zip(left, right) { difference |= one ^ other }
        return difference == 0
    }
}

extension KeyRing: CustomStringConvertible {
    package var description: String { isOpen ? "any key" : "\(entries.count) keys" }
}

extension BidirectionalCollection<UInt8> where SubSequence == Self {
    /// Without spaces, and what else is no character, at both ends.
    fileprivate var trimmed: Self {
        var bytes = drop { $0 <= 0x20 }
        while let last = bytes.last, last <= 0x20 { bytes.removeLast() }
        return bytes
    }
}
