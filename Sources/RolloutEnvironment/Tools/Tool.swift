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

    /// Whether its calls must not run beside others. If one of the tools that an answer calls is so, all calls of that
    /// answer run one after another, in the answer's order. False unless you say otherwise.
    var isSequential: Bool { get }

    /// Does it.
    ///
    /// What went wrong and the model should hear about is returned as ``ToolResult/failure(_:)``. A thrown error is told to
    /// the model, too, as far as its description goes, and logged; a ``RolloutFailure`` ends the rollout with its status:
    /// throw one where the failure is not the model's, or it would be scored for it.
    func call(_ arguments: Arguments) async throws -> ToolResult
}

extension Tool {
    public var isSequential: Bool { false }
}
