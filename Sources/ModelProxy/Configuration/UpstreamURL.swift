// Part of Rollcall. SPDX-License-Identifier: Apache-2.0

/// Where an upstream listens.
package struct UpstreamOrigin: Sendable, Hashable, CustomStringConvertible {
    package let isSecure: Bool
    /// Lower-cased; an IPv6 address without its brackets.
    package let host: String
    package let port: Int
    /// The value of a `Host` header: the port only where it is not the scheme's own.
    package let hostHeader: String

    package init(isSecure: Bool, host: String, port: Int) {
        self.isSecure = isSecure
        self.host = host
        self.port = port
        let name = host.utf8.contains(UInt8(ascii: ":")) ? "[\(host)]" : host
        hostHeader = port == (isSecure ? 443 : 80) ? name : "\(name):\(port)"
    }

    package static func == (left: Self, right: Self) -> Bool {
        left.isSecure == right.isSecure && left.hostHeader == right.hostHeader
    }

    package func hash(into hasher: inout Hasher) { hasher.combine(hostHeader) }

    package var description: String { "\(isSecure ? "https" : "http")://\(hostHeader)" }
}

/// An absolute `http` or `https` URL without query, taken apart.
struct UpstreamURL: Sendable, Hashable {
    enum Port: Sendable, Hashable {
        case number(Int)
        /// `:*`
        case any
    }

    var isSecure: Bool
    var host: String
    var port: Port
    /// Empty, or a slash and what follows it, without trailing slashes.
    var path: String

    /// Fails, with what is wrong, for anything else; `:*` only where it is allowed.
    init(_ text: String, allowingAnyPort: Bool = false) throws(Problem) {
        guard text.utf8.allSatisfy({ $0 > 0x20 && $0 < 0x7F }) else {
            throw Problem("it has a character in it that must be percent-encoded")
        }
        guard let separator = text.firstRange(of: "://") else {
            throw Problem("it does not begin with http:// or https://")
        }
        switch text[..<separator.lowerBound].lowercased() {
        case "http": isSecure = false
        case "https": isSecure = true
        default: throw Problem("it does not begin with http:// or https://")
        }
        let rest = text[separator.upperBound...]
        guard !rest.contains(where: { $0 == "?" || $0 == "#" || $0 == "\\" }) else {
            throw Problem("it has a '?', '#' or '\\' in it")
        }
        let authority = rest.prefix { $0 != "/" }
        guard !authority.contains("@") else { throw Problem("it has a user name in it") }
        var pathEnd = rest[authority.endIndex...]
        while pathEnd.last == "/" { pathEnd.removeLast() }
        path = String(pathEnd)
        guard !Self.leavesItsPlace(path) else { throw Problem("its path has a '.' or '..' segment") }
        (host, port) = try Self.hostAndPort(authority, isSecure: isSecure, allowingAnyPort: allowingAnyPort)
    }

    struct Problem: Error {
        let text: String
        init(_ text: String) { self.text = text }
    }

    private static func hostAndPort(
        _ authority: Substring, isSecure: Bool, allowingAnyPort: Bool
    ) throws(Problem) -> (String, Port) {
        var host = authority
        var port: Substring?
        if authority.hasPrefix("[") {
            guard let close = authority.firstIndex(of: "]") else { throw Problem("its address lacks a ']'") }
            host = authority[authority.index(after: authority.startIndex)..<close]
            let tail = authority[authority.index(after: close)...]
            guard tail.isEmpty || tail.hasPrefix(":") else { throw Problem("a port follows ']' after a ':'") }
            port = tail.isEmpty ? nil : tail.dropFirst()
        } else if let colon = authority.lastIndex(of: ":") {
            host = authority[..<colon]
            port = authority[authority.index(after: colon)...]
        }
        guard !host.isEmpty, authority.hasPrefix("[") || !host.contains(":") else {
            throw Problem("it has no host name")
        }
        guard host.utf8.allSatisfy(isHostByte) else {
            throw Problem("its host name has a character other than letters, digits, '.', '-' and '_'")
        }
        let name = host.lowercased()
        guard let port else { return (name, .number(isSecure ? 443 : 80)) }
        if port == "*", allowingAnyPort { return (name, .any) }
        guard let number = Int(port), (1...65535).contains(number), port.allSatisfy(\.isNumber) else {
            throw Problem("its port is no number from 1 to 65535")
        }
        return (name, .number(number))
    }

    /// Whether names and addresses have such a byte; a colon is an IPv6 address's.
    private static func isHostByte(_ byte: UInt8) -> Bool {
        switch byte {
        case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
            UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "."), UInt8(ascii: "-"), UInt8(ascii: "_"),
            UInt8(ascii: ":"):
            true
        default: false
        }
    }

    /// Whether a path has a segment that means another place than it says, percent-encoded or not.
    static func leavesItsPlace(_ path: String) -> Bool {
        // All that could is written with one of these.
        guard path.utf8.contains(where: { $0 == UInt8(ascii: ".") || $0 == UInt8(ascii: "%") }) else { return false }
        // A server may take an encoded separator for one.
        let plain = path.lowercased().replacing("%2e", with: ".").replacing("%2f", with: "/").replacing(
            "%5c", with: "/")
        return plain.split(separator: "/").contains { $0 == "." || $0 == ".." }
    }

    /// The origin, `nil` for a rule that allows any port.
    var origin: UpstreamOrigin? {
        guard case .number(let number) = port else { return nil }
        return UpstreamOrigin(isSecure: isSecure, host: host, port: number)
    }

    /// Whether `other` stands at or below this one: the same scheme, host and port, and its path by whole segments.
    func contains(_ other: UpstreamURL) -> Bool {
        guard isSecure == other.isSecure, host == other.host, port == .any || port == other.port else { return false }
        return path.isEmpty || other.path == path || other.path.hasPrefix(path + "/")
    }
}
