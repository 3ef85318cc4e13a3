// Part of Rollcall. SPDX-License-Identifier: Apache-2.0

/// A place in a JSON document, written `messages[2].content`.
///
/// A reader makes one for every value it looks at, so a path only notes its steps until somebody wants its text.
public struct JSONPath: Sendable, Hashable, CustomStringConvertible {
    private indirect enum Steps: Sendable {
        case text(String)
        case key(Steps, String)
        case index(Steps, Int)
    }

    private let steps: Steps

    /// The document itself.
    public static let root = JSONPath("")

    /// A path as its text.
    public init(_ text: String) { steps = .text(text) }

    private init(steps: Steps) { self.steps = steps }

    /// The member `key` of the object at this path.
    public func key(_ key: String) -> JSONPath { JSONPath(steps: .key(steps, key)) }

    /// The element at `index` of the array at this path.
    public func index(_ index: Int) -> JSONPath { JSONPath(steps: .index(steps, index)) }

    /// Whether this is the document itself.
    public var isRoot: Bool { description.isEmpty }

    public var description: String { Self.text(of: steps) }

    public static func == (left: JSONPath, right: JSONPath) -> Bool { left.description == right.description }

    public func hash(into hasher: inout Hasher) { hasher.combine(description) }

    private static func text(of steps: Steps) -> String {
        switch steps {
        case .text(let text): return text
        case .index(let parent, let index): return "\(text(of: parent))[\(index)]"
        case .key(let parent, let key):
            let parent = text(of: parent)
            let isPlain = !key.isEmpty && key.allSatisfy { $0.isLetter || $0.isNumber || $0 == "_" || $0 == "-" }
            if !isPlain { return "\(parent)[\(JSONValue.string(key))]" }
            return parent.isEmpty ? key : "\(parent).\(key)"
        }
    }
}
