// Part of Rollcall. SPDX-License-Identifier: Apache-2.0

package import EvalProtocol

/// One accepted log line.
package struct LogRecord: Sendable {
    package var account: Account
    package var program: String
    package var message: String
    package var severity: String
    /// In the order they were posted, each once.
    package var tags: [String]
    /// The posted `status` as JSON, known code or not; `nil` when it was null or absent.
    package var status: [UInt8]?
    /// The status' code, when it is a known one.
    package var code: StatusCode?
    /// The posted `extras` as JSON; `nil` when it was null or absent.
    package var extras: [UInt8]?
    /// `extras.timestamp` in microseconds since 1970, when it is there and can be read.
    package var sentAt: Int64?
    /// The attempt of the line's first rollout, from the path or `extras.rollcall.attempt`.
    package var attempt: AttemptID?
    /// The id that its sender gave the line, by which a repeat is known.
    package var clientID: String?
    /// The time within which its sender promises another line or call of the attempt, in microseconds; only with
    /// RUNNING.
    package var lease: Int64?
    /// Whether the line is nothing else than the renewal of a lease.
    package var isRenewal = false

    package init(
        account: Account, program: String, message: String, severity: String, tags: [String], status: [UInt8]? = nil,
        code: StatusCode? = nil, extras: [UInt8]? = nil, sentAt: Int64? = nil, attempt: AttemptID? = nil,
        clientID: String? = nil
    ) {
        self.account = account
        self.program = program
        self.message = message
        self.severity = severity
        self.tags = tags
        self.status = status
        self.code = code
        self.extras = extras
        self.sentAt = sentAt
        self.attempt = attempt
        self.clientID = clientID
    }

    /// The rollouts that the line is about, the first one first.
    package var rolloutIDs: [String] { values(ofTag: "rollout_id:") }

    /// The first value of the tag `name:`.
    package func firstValue(ofTag name: String) -> String? { values(ofTag: name + ":").first }

    /// What the line's tags tell of its rollouts.
    package var taggedIDs: RolloutIDs {
        RolloutIDs(
            invocationID: firstValue(ofTag: "invocation_id"), experimentID: firstValue(ofTag: "experiment_id"),
            runID: firstValue(ofTag: "run_id"), rowID: firstValue(ofTag: "row_id"))
    }

    private func values(ofTag prefix: String) -> [String] {
        tags.compactMap { $0.hasPrefix(prefix) ? String($0.dropFirst(prefix.count)) : nil }
    }

    package var byteCount: Int {
        message.utf8.count + (status?.count ?? 0) + (extras?.count ?? 0) + tags.reduce(512) { $0 + $1.utf8.count }
    }
}
