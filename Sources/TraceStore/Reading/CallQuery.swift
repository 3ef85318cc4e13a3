// Part of Rollcall. SPDX-License-Identifier: Apache-2.0

/// Which recorded calls.
package struct CallQuery: Sendable {
    package var account: Account
    /// Calls that carry all of these.
    package var tags: [String]
    package var limit: Int
    /// Bounds on the call's id, which is its time in microseconds since 1970.
    package var since: Int64?
    package var until: Int64?
    package var attempts: AttemptSelection

    package init(
        account: Account, tags: [String], limit: Int, since: Int64? = nil, until: Int64? = nil,
        attempts: AttemptSelection = .newest
    ) {
        self.account = account
        self.tags = tags
        self.limit = limit
        self.since = since
        self.until = until
        self.attempts = attempts
    }
}

/// A call read back.
package struct StoredCall: Sendable {
    package var id: Int64
    /// All tags: the ids, those of the body, and the `insertion_id`.
    package var tags: [String]
    /// As it was recorded; its request has the client's bytes and no parts.
    package var record: CallRecord
    /// The number of its attempt, when it has one.
    package var attempt: Int?
    /// The call whose conversation it continues.
    package var parent: Int64?

    package init(id: Int64, tags: [String], record: CallRecord, attempt: Int?, parent: Int64?) {
        self.id = id
        self.tags = tags
        self.record = record
        self.attempt = attempt
        self.parent = parent
    }
}
