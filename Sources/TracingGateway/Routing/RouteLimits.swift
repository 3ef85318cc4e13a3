// Part of Rollcall. SPDX-License-Identifier: Apache-2.0

package import NIOCore

/// Bounds on what a single request may bring, ask for or hold on to.
package struct RouteLimits: Sendable {
    /// Bytes of a body, at most; `--max-log-body-bytes`.
    package var logBodyBytes = 16 << 20
    /// Items of a batch, as every client of the gateway knows.
    package var batchItems = 1000
    /// Tags of a log line; `--max-tags`.
    package var tags = 1000
    /// Log lines in an answer; `--max-logs-per-answer`.
    package var logs = 10_000
    /// Their bytes, after which no further line is begun; `--max-log-answer-bytes`.
    package var logAnswerBytes = 32 << 20
    /// Traces in an answer; `--max-traces-per-answer`.
    package var traces = 10_000
    /// Calls of a rollout that are shown as a tree; `--max-calls-per-tree`.
    package var treeCalls = 100_000
    /// The longest wait for a status, in seconds, as every client of the gateway knows.
    package var waitSeconds = 60.0
    /// Requests that wait for a status at once; `--max-waiting`.
    package var waiting = 8192
    /// Event streams at once; `--max-event-streams`.
    package var eventStreams = 1024
    /// How long a reader of events may leave one unread before it is cut off; `--event-unread-seconds`.
    package var unreadEvent = TimeAmount.seconds(30)
    /// How often a silent event stream gets a comment.
    package var comment = Duration.seconds(15)
    /// The longest id in a registration or a line's tag, in bytes; `--max-id-bytes`.
    package var idBytes = 256

    package init() {}
}
