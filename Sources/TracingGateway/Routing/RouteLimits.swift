// Part of Rollcall. SPDX-License-Identifier: Apache-2.0

/// Bounds on what a single request may bring, ask for or hold on to.
package struct RouteLimits: Sendable {
    package var logBodyBytes = 16 << 20
    package var batchItems = 1000
    /// Log lines in an answer.
    package var logs = 10_000
    /// Traces in an answer.
    package var traces = 10_000
    /// Calls of a rollout that are shown as a tree.
    package var treeCalls = 100_000
    /// The longest wait for a status, in seconds.
    package var waitSeconds = 60.0
    /// Requests that wait for a status at once.
    package var waiting = 8192
    /// Event streams at once.
    package var eventStreams = 1024
    /// How long a reader of events may leave one unread before it is cut off.
    package var unreadEvent = Duration.seconds(30)
    /// How often a silent event stream gets a comment.
    package var comment = Duration.seconds(15)
    /// The longest id in a path or a registration, in bytes.
    package var idBytes = 256

    package init() {}
}
