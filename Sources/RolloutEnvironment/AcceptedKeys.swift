// Part of Rollcall. SPDX-License-Identifier: Apache-2.0

/// The keys that callers may show, compared without telling by the time how much of one was right.
struct AcceptedKeys: Sendable {
    private let keys: [[UInt8]]

    init(_ keys: [String]) { self.keys = keys.filter { !$0.isEmpty }.map { Array($0.utf8) } }

    func accepts(authorization: String?, bodyKey: String?) -> Bool {
        guard !keys.isEmpty else { return true }
        return [authorization.flatMap(Self.bearer), bodyKey].contains { shown in
            guard let shown else { return false }
            let bytes = Array(shown.utf8)
            // Every key is compared, whichever fits.
            return keys.reduce(false) { found, key in Self.areEqual(key, bytes) || found }
        }
    }

    private static func bearer(_ header: String) -> String? {
        guard header.prefix(7).lowercased() == "bearer " else { return nil }
        return String(header.dropFirst(7))
    }

    private static func areEqual(_ left: [UInt8], _ right: [UInt8]) -> Bool {
        guard left.count == right.count else { return false }
        return zip(left, right).reduce(UInt8(0)) { $0 | ($1.0 ^ $1.1) } == 0
    }
}
