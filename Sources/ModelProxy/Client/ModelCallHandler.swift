// Part of Rollcall. SPDX-License-Identifier: Apache-2.0

package import NIOCore
package import NIOHTTP1

/// Takes the model calls of one client connection; every other request goes up to the next handler untouched.
package final class ModelCallHandler: ChannelDuplexHandler {
    package typealias InboundIn = HTTPServerRequestPart
    package typealias InboundOut = HTTPServerRequestPart
    package typealias OutboundIn = HTTPServerResponsePart
    package typealias OutboundOut = HTTPServerResponsePart

    init() {}
}

@available(*, unavailable)
extension ModelCallHandler: Sendable {}
