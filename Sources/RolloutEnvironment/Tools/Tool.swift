// Part of Rollcall. SPDX-License-Identifier: Apache-2.0

/// Something a model may do.
///
///     struct Add: Tool {
///         struct Arguments: ToolArguments { var a: Double; var b: Double }
///         let name = "add"
///         let description = "Adds two numbers."
///         func call(_ arguments: Arguments) async throws -> ToolResult { "\(arguments.a + arguments.b)" }
///     }
public protocol Tool: Sendable {
    associatedtype Arguments: ToolArguments

    /// 1 to 64 letters, digits, underscores and hyphens.
    var name: String { get }
    /// What it does, for the model.
    var description: String { get }

    /// Does it. What is thrown ends the rollout; what the model should hear about is returned as
    /// ``ToolResult/failure(_:)``.
    func call(_ arguments: Arguments) async throws -> ToolResult
}
