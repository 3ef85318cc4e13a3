// Part of Rollcall. SPDX-License-Identifier: Apache-2.0

public import EvalProtocol

/// One rollout to be done: a row and the parameters of its model calls.
public struct RolloutTask: Sendable, Hashable {
    public var row: EvaluationRow
    /// What the environment's model calls shall use; the row's own parameters fill in what is missing here.
    public var parameters: CompletionParameters
    /// The run that the rollout belongs to, when a row is rolled out several times; by default the processor's.
    public var runID: String?

    public init(row: EvaluationRow, parameters: CompletionParameters, runID: String? = nil) {
        self.row = row
        self.parameters = parameters
        self.runID = runID
    }
}
