// Part of Rollcall. SPDX-License-Identifier: Apache-2.0

package import EvalProtocol
package import NIOCore
package import NIOSSL

/// How model calls are passed on and recorded.
package struct ProxyConfiguration: Sendable {
    package var keys: KeyRing
    package var upstreams: UpstreamRules
    /// Whether a caller's `Authorization` goes on to upstreams without a key of their own although the gateway has
    /// keys. Without keys it always does.
    package var forwardsAuthorization = false
    /// Bytes of a request's body, at most; `--max-body-bytes`.
    package var maximumBodyBytes = 32 << 20
    /// Bytes of all the bodies that are coming in, at most, those for the router included; `--max-incoming-bytes`.
    package var maximumIncomingBytes = 256 << 20
    /// Bytes of an answer that is recorded, at most; `--max-answer-bytes`.
    package var maximumAnswerBytes = 64 << 20
    /// Bytes of an id in a path, at most; `--max-id-bytes`.
    package var maximumIDBytes = 256
    package var calls = CallLimits()
    package var timeouts = CallTimeouts()
    package var pool = UpstreamPoolLimits()
    /// What upstreams' certificates are checked against.
    package var tls = TLSConfiguration.makeClientConfiguration()

    package init(keys: KeyRing = .open, upstreams: UpstreamRules) {
        self.keys = keys
        self.upstreams = upstreams
    }
}

/// How many calls may be in flight.
package struct CallLimits: Sendable {
    /// `--max-calls`
    package var total = 8192
    /// Less than all, so that an account does not take the place of the others; `--max-calls-per-account`.
    package var account = 4096
    /// `--max-calls-per-rollout`
    package var rollout = 256

    package init() {}
}

/// How long a call may wait, for what.
package struct CallTimeouts: Sendable {
    /// For a connection to the upstream, its TLS handshake included.
    package var connect = TimeAmount.seconds(5)
    /// For a free connection when all are in use.
    package var queue = TimeAmount.seconds(30)
    /// From the request to the first byte of the answer.
    package var firstByte = TimeAmount.seconds(600)
    /// Between two pieces of an answer, and for a client that does not read.
    package var idle = TimeAmount.seconds(120)
    /// Silence after which a stream that has finished its choices counts as complete.
    package var silence = TimeAmount.seconds(5)
    /// From the end of a stream's choices to its commit, whatever the upstream still sends.
    package var hold = TimeAmount.seconds(30)
    package var commit = TimeAmount.seconds(10)

    package init() {}
}

/// Bounds on connections to one upstream, for each event loop.
package struct UpstreamPoolLimits: Sendable {
    package var maximumConnections = 4096
    package var maximumWaiters = 4096
    /// How long a connection is kept for the next call. Servers close theirs after five seconds and more.
    package var idle = TimeAmount.seconds(4)

    package init() {}
}
