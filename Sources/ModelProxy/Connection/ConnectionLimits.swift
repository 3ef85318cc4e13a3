// Part of Rollcall. SPDX-License-Identifier: Apache-2.0

package import NIOCore

/// What a single connection may take, in time and in bytes.
package struct ConnectionLimits: Sendable {
    /// Connections at once; more are answered 503. `--max-connections`
    package var connections = 8192
    /// The largest head, and the largest of its fields, in bytes; `--max-head-bytes`.
    package var headBytes = 80 << 10
    /// `--max-header-fields`
    package var headerFields = 200
    /// How long a connection may stay open without a request; `--idle-seconds`.
    package var idle = TimeAmount.seconds(120)
    /// From the first byte of a head to its last; `--head-seconds`.
    package var head = TimeAmount.seconds(30)
    /// Between two pieces of a request's body; `--body-pause-seconds`.
    package var bodyPause = TimeAmount.seconds(30)
    /// A whole request body; `--body-seconds`.
    package var body = TimeAmount.seconds(300)
    /// How long a client may leave what it was sent unread; `--unread-seconds`.
    package var unread = TimeAmount.seconds(60)
    /// How long what a client still sends is read and dropped after an answer that ends its connection.
    package var linger = TimeAmount.seconds(2)

    package init() {}
}
