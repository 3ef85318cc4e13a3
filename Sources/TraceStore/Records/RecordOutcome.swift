// Part of Rollcall. SPDX-License-Identifier: Apache-2.0

package import EvalProtocol

/// What became of one record of a committed batch.
package enum RecordOutcome: Sendable, Hashable {
    case stored(StoredReceipt)
    /// The record contradicts what is stored, for instance other ids for a registered rollout. Nothing was changed.
    case conflict(String)
    /// The record speaks of a rollout or an attempt that there is not. Nothing was changed.
    case unknown(String)
}

/// The acknowledgement of a stored record. For a line or call it speaks of the first rollout.
package struct StoredReceipt: Sendable, Hashable {
    /// The call's or line's id: its commit time in microseconds since 1970, made strictly rising.
    package var id: Int64
    /// Whether the same record had been stored before; nothing was changed then.
    package var duplicate: Bool
    /// The number of the attempt it belongs to; `nil` for a rollout without attempts.
    package var attempt: Int?
    /// Whether that attempt is the rollout's newest; `nil` without attempts.
    package var current: Bool?
    /// The terminal code that is final for that attempt (or for a rollout without attempts: `nil`).
    package var final: StatusCode?

    package init(
        id: Int64, duplicate: Bool = false, attempt: Int? = nil, current: Bool? = nil, final: StatusCode? = nil
    ) {
        self.id = id
        self.duplicate = duplicate
        self.attempt = attempt
        self.current = current
        self.final = final
    }

    package init(id: Int64, duplicate: Bool = false, _ effect: RolloutState.Effect) {
        self.init(
            id: id, duplicate: duplicate, attempt: effect.attempt, current: effect.isCurrent, final: effect.final)
    }
}
