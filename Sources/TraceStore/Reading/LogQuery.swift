// Part of Rollcall. SPDX-License-Identifier: Apache-2.0

/// Which log lines.
package struct LogQuery: Sendable {
    package var account: Account
    /// Lines that carry all of these.
    package var tags: [String]
    package var program: String?
    package var limit: Int
    /// Bytes after which no further line is begun.
    package var maximumBytes = Int.max
    /// Lines received at or after this time, in microseconds since 1970.
    package var since: Int64?
    /// Lines of which attempts, for queries that name a rollout.
    package var attempts: AttemptSelection

    package init(
        account: Account, tags: [String], program: String? = nil, limit: Int, since: Int64? = nil,
        attempts: AttemptSelection = .newest
    ) {
        self.account = account
        self.tags = tags
        self.program = program
        self.limit = limit
        self.since = since
        self.attempts = attempts
    }
}

/// A log line read back.
package struct StoredLog: Sendable {
    /// Also the time it was received, in microseconds since 1970.
    package var id: Int64
    package var program: String
    package var message: String
    package var severity: String
    package var tags: [String]
    package var status: [UInt8]?
    package var extras: [UInt8]?
    /// The number of its attempt, when it has one.
    package var attempt: Int?
    /// Whether it came too late to count.
    package var superseded: Bool

    package init(
        id: Int64, program: String, message: String, severity: String, tags: [String], status: [UInt8]?,
        extras: [UInt8]?, attempt: Int?, superseded: Bool
    ) {
        self.id = id
        self.program = program
        self.message = message
        self.severity = severity
        self.tags = tags
        self.status = status
        self.extras = extras
        self.attempt = attempt
        self.superseded = superseded
    }

    /// What it takes of memory, more or less.
    package var byteCount: Int {
        message.utf8.count + (status?.count ?? 0) + (extras?.count ?? 0) + tags.reduce(256) { $0 + $1.utf8.count }
    }
}
