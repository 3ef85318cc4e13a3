// Part of Rollcall. SPDX-License-Identifier: Apache-2.0

/// A JSON object: its members in the order they came in, repeated keys included.
///
/// Looking up a key finds its last value, as the common parsers do.
public struct JSONObject: Sendable, Hashable, ExpressibleByDictionaryLiteral {
    /// A key and its value.
    public struct Member: Sendable, Hashable {
        public var key: JSONString
        public var value: JSONValue

        public init(key: JSONString, value: JSONValue) {
            self.key = key
            self.value = value
        }
    }

    /// The members in order, repeated keys included.
    public private(set) var members: [Member]

    public init() { members = [] }

    public init(_ members: some Sequence<(JSONString, JSONValue)>) {
        self.members = members.map { Member(key: $0.0, value: $0.1) }
    }

    init(members: [Member]) { self.members = members }

    public init(dictionaryLiteral elements: (String, JSONValue)...) {
        self.init(elements.map { (JSONString($0.0), $0.1) })
    }

    /// Whether there are no members.
    public var isEmpty: Bool { members.isEmpty }
    /// The number of members, repeated keys counted each time.
    public var count: Int { members.count }
    /// The keys in order, repeated ones included.
    public var keys: [String] { members.map(\.key.text) }

    /// The last value of `key`.
    ///
    /// Setting replaces the last value in its place, or appends; setting `nil` removes every member of that key.
    public subscript(key: String) -> JSONValue? {
        get { lastIndex(of: key).map { members[$0].value } }
        set {
            guard let newValue else {
                members.removeAll { $0.key.hasText(key) }
                return
            }
            if let index = lastIndex(of: key) {
                members[index].value = newValue
            } else {
                members.append(Member(key: JSONString(key), value: newValue))
            }
        }
    }

    private func lastIndex(of key: String) -> Int? {
        var index = members.count - 1
        while index >= 0 {
            if members[index].key.hasText(key) { return index }
            index -= 1
        }
        return nil
    }

    /// Adds a member at the end, whether or not there is one of this key.
    public mutating func append(_ key: String, _ value: JSONValue) {
        members.append(Member(key: JSONString(key), value: value))
    }

    /// The object without the members of these keys.
    public func removing(_ keys: Set<String>) -> JSONObject {
        JSONObject(members: members.filter { !keys.contains($0.key.text) })
    }
}
