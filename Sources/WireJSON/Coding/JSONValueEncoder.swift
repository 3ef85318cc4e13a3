// Part of Rollcall. SPDX-License-Identifier: Apache-2.0

/// Makes JSON values of `Encodable` types. A ``JSONValue`` within them is taken over as it is.
public struct JSONValueEncoder: Sendable {
    /// Makes an encoder.
    public init() {}

    /// Encodes a value; members come in the order in which the type encodes them.
    ///
    /// - Throws: `EncodingError` for numbers that JSON does not have (infinity, NaN) and for a value that encodes
    ///   nothing.
    public func encode(_ value: some Encodable) throws -> JSONValue {
        let node = JSONNode()
        try node.encode(value, codingPath: [])
        guard let json = node.value else {
            throw EncodingError.invalidValue(
                value, EncodingError.Context(codingPath: [], debugDescription: "The value encoded nothing."))
        }
        return json
    }
}

/// A value in the making. Encoders hand out several containers for one place, so it is shared by reference.
final class JSONNode {
    enum Content {
        case nothing
        case value(JSONValue)
        case array([JSONNode])
        case object([(key: String, node: JSONNode)])
    }

    var content = Content.nothing

    /// What has been encoded; `nil` if nothing has.
    var value: JSONValue? {
        switch content {
        case .nothing: nil
        case .value(let value): value
        case .array(let nodes): .array(nodes.map { $0.value ?? .object(JSONObject()) })
        case .object(let members):
            .object(JSONObject(members.map { (JSONString($0.key), $0.node.value ?? .object(JSONObject())) }))
        }
    }

    func encode(_ value: some Encodable, codingPath: [any CodingKey]) throws {
        if let value = value as? JSONValue {
            content = .value(value)
        } else {
            try value.encode(to: JSONValueEncoding(node: self, codingPath: codingPath))
        }
    }

    func encode(_ float: some BinaryFloatingPoint & CustomStringConvertible, codingPath: [any CodingKey]) throws {
        guard float.isFinite else {
            throw EncodingError.invalidValue(
                float,
                EncodingError.Context(codingPath: codingPath, debugDescription: "JSON has no number \(float)."))
        }
        if let double = float as? Double {
            content = .value(.number(double))
        } else {
            content = .value(.number(JSONNumber(validated: float.description)))
        }
    }

    /// A node for `key`: a new one at the end, or one in the place of an earlier one.
    func member(_ key: String) -> JSONNode {
        let node = JSONNode()
        var members: [(key: String, node: JSONNode)] = []
        if case .object(let earlier) = content { members = earlier }
        content = .nothing  // so that the array below is not copied
        if let index = members.firstIndex(where: { $0.key == key }) {
            members[index].node = node
        } else {
            members.append((key, node))
        }
        content = .object(members)
        return node
    }

    func element() -> JSONNode {
        let node = JSONNode()
        var nodes: [JSONNode] = []
        if case .array(let earlier) = content { nodes = earlier }
        content = .nothing  // so that the array below is not copied
        nodes.append(node)
        content = .array(nodes)
        return node
    }

    var count: Int {
        if case .array(let nodes) = content { nodes.count } else { 0 }
    }

    func becomeObject() {
        if case .object = content { return }
        content = .object([])
    }

    func becomeArray() {
        if case .array = content { return }
        content = .array([])
    }
}

/// What a type encodes itself to.
struct JSONValueEncoding: Encoder {
    let node: JSONNode
    let codingPath: [any CodingKey]

    var userInfo: [CodingUserInfoKey: Any] { [:] }

    func container<Key: CodingKey>(keyedBy type: Key.Type) -> KeyedEncodingContainer<Key> {
        node.becomeObject()
        return KeyedEncodingContainer(JSONKeyedEncodingContainer(node: node, codingPath: codingPath))
    }

    func unkeyedContainer() -> any UnkeyedEncodingContainer {
        node.becomeArray()
        return JSONUnkeyedEncodingContainer(node: node, codingPath: codingPath)
    }

    func singleValueContainer() -> any SingleValueEncodingContainer { self }
}
