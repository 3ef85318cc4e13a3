// Part of Rollcall. SPDX-License-Identifier: Apache-2.0

package import EvalProtocol

/// What of a call was captured for training, in the forms it is stored in.
package struct CapturedTokens: Sendable, Hashable {
    /// What a choice's tokens are.
    package struct Choice: Sendable, Hashable {
        /// Log probabilities and token ids as ``LogprobsPayload`` has them; empty when there are none.
        package var logprobs: [UInt8]
        /// Experts as ``RouterReplayPayload`` has them; empty when there are none.
        package var routing: [UInt8]

        package init(logprobs: [UInt8] = [], routing: [UInt8] = []) {
            self.logprobs = logprobs
            self.routing = routing
        }
    }

    /// What was to be captured.
    package var capture: Capture
    /// The names of what did not come, or not whole.
    package var missing: [String]
    /// Why that is so, in a sentence each.
    package var reasons: [String]
    package var promptTokenIDs: [Int32]
    /// In the order of the answer's choices.
    package var choices: [Choice]

    package init(
        capture: Capture = .none, missing: [String] = [], reasons: [String] = [], promptTokenIDs: [Int32] = [],
        choices: [Choice] = []
    ) {
        self.capture = capture
        self.missing = missing
        self.reasons = reasons
        self.promptTokenIDs = promptTokenIDs
        self.choices = choices
    }

    package var byteCount: Int {
        4 * promptTokenIDs.count + choices.reduce(0) { $0 + $1.logprobs.count + $1.routing.count }
            + reasons.reduce(0) { $0 + $1.utf8.count }
    }
}
