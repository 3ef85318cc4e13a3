// Part of Rollcall. SPDX-License-Identifier: Apache-2.0

/// A place in a JSON document, written `messages[2].content`.
public struct JSONPath: Sendable, Hashable, CustomStringConvertible {
    public let description: String

    /// The document itself.
    public static let root = JSONPath(description: "")

    public init(_ text: String) { description = text }
    private init(description: String) { self.description = description }

    /// The member `key` of the object at this path.
    public func key(_ key: String) -> JSONPath {
        let plain = !key.isEmpty && key.allSatisfy { $0.isLetter || $0.isNumber || $0 == "_" || $0 == "-" }
        if !plain { return JSONPath(description: "\(description)[\(JSONValue.string(key))]") }
        return JSONPath(description: description.isEmpty ? key : "\(description).\(key)")
    }

    /// The element at `index` of the array at this path.
    public func index(_ index: Int) -> JSONPath { JSONPath(description: "\(description)[\(index)]") }

    public var isRoot: Bool { description.isEmpty }
}
