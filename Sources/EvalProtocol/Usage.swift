// Part of Rollcall. SPDX-License-Identifier: Apache-2.0

public import WireJSON

/// Tokens that a completion, or all of a rollout's, took.
public struct Usage: Sendable, Hashable {
    public var promptTokens: Int
    public var completionTokens: Int
    public var totalTokens: Int

    public init(promptTokens: Int, completionTokens: Int) {
        self.promptTokens = promptTokens
        self.completionTokens = completionTokens
        totalTokens = promptTokens + completionTokens
    }

    public static func + (left: Usage, right: Usage) -> Usage {
        Usage(
            promptTokens: left.promptTokens + right.promptTokens,
            completionTokens: left.completionTokens + right.completionTokens)
    }
}

extension Usage: JSONConvertible {
    public init(from reader: JSONReader) throws(JSONDecodingError) {
        _ = try reader.object()
        promptTokens = try reader["prompt_tokens"].present?.int() ?? 0
        completionTokens = try reader["completion_tokens"].present?.int() ?? 0
        totalTokens = try reader["total_tokens"].present?.int() ?? promptTokens + completionTokens
    }

    public var json: JSONValue {
        [
            "prompt_tokens": .number(promptTokens), "completion_tokens": .number(completionTokens),
            "total_tokens": .number(totalTokens),
        ]
    }
}
