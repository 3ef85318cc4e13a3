// Part of Rollcall. SPDX-License-Identifier: Apache-2.0

/// A JSON value that is not what its reader needs: where, what was found, and what is allowed.
public struct JSONDecodingError: Error, Sendable, Hashable, CustomStringConvertible {
    public let path: JSONPath
    /// What stands there, shortened: `a number (7)`, `nothing`.
    public let found: String
    /// What may stand there: `a non-empty string`.
    public let expected: String

    public init(path: JSONPath, found: JSONValue?, expected: String) {
        self.path = path
        self.found = found.map(Self.describe) ?? "nothing"
        self.expected = expected
    }

    public var description: String {
        "\(path.isRoot ? "the document" : path.description): expected \(expected), found \(found)"
    }

    private static func describe(_ value: JSONValue) -> String {
        switch value {
        case .null: "null"
        case .bool(let bool): "\(bool)"
        case .number(let number): "the number \(shorten(number.text))"
        case .string(let string): "the string \(shorten(JSONValue.string(string).description))"
        case .array(let array): "an array of \(array.count)"
        case .object(let object): "an object of \(object.count)"
        }
    }

    private static func shorten(_ text: String) -> String {
        text.count <= 60 ? text : "\(text.prefix(57))…"
    }
}
