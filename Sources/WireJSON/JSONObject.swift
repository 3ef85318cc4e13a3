// Part of Rollcall. SPDX-License-Identifier: Apache-2.0

/// A JSON object: its members in the order they came in, repeated keys included.
///
/// Looking up a key finds its last value, as the common parsers do.
public struct JSONObject: Sendable, Hashable, ExpressibleByDictionaryLiteral {
    public struct Member: Sendable, Hashable {
        public var key: JSONString
        public var value: JSONValue

        public init(key: JSONString, value: JSONValue) {
            self.key = key
            self.value = value
        }
    }

    public private(set) var members: [Member]

    public init() { members = [] }

    public init(_ members: some Sequence<(JSONString, JSONValue)>) {
        self.members = members.map { Member(key: $0.0, value: $0.1) }
    }

    init(members: [Member]) { self.members = members }

    public init(dictionaryLiteral elements: (String, JSONValue)...) {
        self.init(elements.map { (JSONString($0.0), $0.1) })
    }

    public var isEmpty: Bool { members.isEmpty }
    public var count: Int { members.count }
    public var keys: [String] { members.map(\.key.text) }

    /// The last value of `key`.
    ///
    /// Setting replaces the last value in its place, or appends; setting `nil` removes every member of that key.
    public subscript(key: String) -> JSONValue? {
        get { members.last { $0.key.text == key }?.value }
        set {
            guard let newValue else {
                members.removeAll { $0.key.text == key }
                return
            }
            if let index = members.lastIndex(where: { $0.key.text == key }) {
                members[index].value = newValue
            } else {
                members.append(Member(key: JSONString(key), value: newValue))
            }
        }
    }

    public mutating func append(_ key: String, _ value: JSONValue) {
        members.append(Member(key: JSONString(key), value: value))
    }

    /// The object without the members of these keys.
    public func removing(_ keys: Set<String>) -> JSONObject {
        JSONObject(members: members.filter { !keys.contains($0.key.text) })
    }
}
