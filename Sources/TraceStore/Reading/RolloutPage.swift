// Part of Rollcall. SPDX-License-Identifier: Apache-2.0

package import EvalProtocol

/// What a rollout's page shows besides its state.
package struct RolloutPage: Sendable {
    package var state: RolloutState
    /// Calls that began, and calls that passed without a record, since the gateway's start; the ledger fills them in.
    package var startedCalls = 0
    package var unrecordedCalls = 0
    package var recordedCalls: Int
    package var failedCalls: Int
    package var cutCalls: Int
    package var logs: Int
    package var scores: [StoredScore] = []
    package var usage: Usage
    /// First and last record, in microseconds since 1970.
    package var firstSeen: Int64
    package var lastSeen: Int64

    package init(
        state: RolloutState, recordedCalls: Int, failedCalls: Int, cutCalls: Int, logs: Int, usage: Usage,
        firstSeen: Int64, lastSeen: Int64
    ) {
        self.state = state
        self.recordedCalls = recordedCalls
        self.failedCalls = failedCalls
        self.cutCalls = cutCalls
        self.logs = logs
        self.usage = usage
        self.firstSeen = firstSeen
        self.lastSeen = lastSeen
    }
}
