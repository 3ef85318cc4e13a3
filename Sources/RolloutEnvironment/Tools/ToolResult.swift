// Part of Rollcall. SPDX-License-Identifier: Apache-2.0

public import WireJSON

/// What a tool gives back to the model.
public struct ToolResult: Sendable, Hashable, ExpressibleByStringInterpolation {
    public var text: String
    /// Whether the tool could not do what was asked.
    public var isFailure = false
    /// Whether the run ends here, without another model call.
    public var endsRun = false

    public init(_ text: String) { self.text = text }

    public init(stringLiteral value: String) { text = value }

    /// A result as JSON text.
    public static func json(_ value: JSONValue) -> ToolResult { ToolResult(value.description) }

    /// What went wrong, for the model to do better.
    public static func failure(_ text: String) -> ToolResult {
        var result = ToolResult("Error: \(text)")
        result.isFailure = true
        return result
    }

    /// A result that ends the run.
    public static func final(_ text: String) -> ToolResult {
        var result = ToolResult(text)
        result.endsRun = true
        return result
    }
}
