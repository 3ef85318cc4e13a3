// Part of Rollcall. SPDX-License-Identifier: Apache-2.0

package import EvalProtocol

/// What a scorer made of an attempt. Another one of the same scorer takes its place.
package struct Score: Sendable, Hashable {
    package var rollout: RolloutKey
    /// `nil`: the rollout's newest attempt.
    package var attempt: AttemptID?
    package var scorer: String
    /// The evaluation result as it was posted, JSON.
    package var result: [UInt8]

    package init(rollout: RolloutKey, attempt: AttemptID?, scorer: String, result: [UInt8]) {
        self.rollout = rollout
        self.attempt = attempt
        self.scorer = scorer
        self.result = result
    }
}

/// A score as a rollout's page shows it.
package struct StoredScore: Sendable, Hashable {
    /// The attempt's name; `nil` for a rollout without attempts.
    package var attempt: String?
    package var scorer: String
    package var result: [UInt8]
    /// When it was stored, in microseconds since 1970.
    package var storedAt: Int64

    package init(attempt: String?, scorer: String, result: [UInt8], storedAt: Int64) {
        self.attempt = attempt
        self.scorer = scorer
        self.result = result
        self.storedAt = storedAt
    }
}
