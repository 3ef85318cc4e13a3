// Part of Rollcall. SPDX-License-Identifier: Apache-2.0

public import EvalProtocol

/// A tool that cannot be offered to a model.
public struct ToolError: RolloutFailure, Hashable, CustomStringConvertible {
    public let description: String

    init(_ description: String) { self.description = description }

    public var status: Status { FailureReason.toolInvalid.status(description) }
}
