// Part of Rollcall. SPDX-License-Identifier: Apache-2.0

import EvalProtocol
package import ModelProxy

/// How a gateway listens and serves.
package struct GatewayConfiguration: Sendable {
    /// `localhost` is 127.0.0.1 and ::1.
    package var host = "localhost"
    /// 0 takes a free one.
    package var port = 8787
    /// How long running requests may go on once the gateway is to stop.
    package var grace = Duration.seconds(30)
    /// How long a rollout is kept after the last that came of it; `nil`: for ever.
    package var retention: Duration?
    package var proxy: ProxyConfiguration
    package var connections = ConnectionLimits()
    package var routes = RouteLimits()

    package init(proxy: ProxyConfiguration) { self.proxy = proxy }

    /// Whether only this machine can reach the gateway.
    var isLoopback: Bool { LoopbackHost.includes(host) }

    /// Whether it may run: where others can reach it, it needs keys.
    package var isAllowed: Bool { isLoopback || !proxy.keys.isOpen }

    /// Whether `localhost` leads to the gateway. The Python client tags model calls for that name only.
    var isReachedAsLocalhost: Bool { isLoopback || host == "0.0.0.0" || host == "::" }
}
