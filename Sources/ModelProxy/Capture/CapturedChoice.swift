// Part of Rollcall. SPDX-License-Identifier: Apache-2.0

import EvalProtocol

/// What has come of one choice's tokens.
struct CapturedChoice: Sendable {
    let index: Int
    var tokens: [LogprobsPayload.Token] = []
    /// Whether a list of log probabilities has come, with entries or without.
    var hasLogprobs = false
    /// Whether an entry of the list was none.
    var lacksEntries = false
    /// Ids that came in a list of their own.
    var tokenIDs: [Int32] = []
    var hasTokenIDs = false
    /// The experts of each token, where its entry has them.
    var matrices: [[UInt8]?] = []
    /// The experts of all tokens, prompt included.
    var experts: RoutedExperts?

    init(index: Int) { self.index = index }

    /// The completion's tokens, as far as they are known.
    var count: Int { max(tokens.count, tokenIDs.count) }
}
