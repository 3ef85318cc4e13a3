// Part of Rollcall. SPDX-License-Identifier: Apache-2.0

package import Logging
package import NIOCore

/// The gateway's hot path: passes model calls to their upstreams and records them before they are answered.
package final class ModelProxy: Sendable {
    let configuration: ProxyConfiguration
    let recorder: any CallRecorder
    let logger: Logger

    package init(
        _ configuration: ProxyConfiguration, ledger: any CallRecorder, group: any EventLoopGroup, logger: Logger
    ) {
        self.configuration = configuration
        self.recorder = ledger
        self.logger = logger
    }

    /// The handler for a connection on `loop`; to be called there.
    package func makeHandler(on loop: any EventLoop) -> ModelCallHandler { ModelCallHandler() }

    /// Closes the idle connections to upstreams. Calls that run end by themselves.
    package func shutdown() async {}
}
