// Part of Rollcall. SPDX-License-Identifier: Apache-2.0

/// What of a model call is recorded for training, beyond what its client sees.
public enum Capture: String, Sendable, Hashable, CaseIterable, Comparable {
    /// What the answer has by itself.
    case none
    /// The log probability of every completion token.
    case logprobs
    /// Log probabilities, the ids of prompt and completion tokens, and routing matrices where the server has them.
    case tokens

    /// Whether less is captured.
    public static func < (left: Capture, right: Capture) -> Bool {
        (allCases.firstIndex(of: left) ?? 0) < (allCases.firstIndex(of: right) ?? 0)
    }
}
