// Part of Rollcall. SPDX-License-Identifier: Apache-2.0

import Foundation
import Hummingbird
import HummingbirdCore
import Logging
import ModelProxy
import NIOCore
import TraceStore

/// What the routes know of a request besides itself.
struct GatewayContext: RequestContext {
    var coreContext: CoreRequestContextStorage
    let channel: any Channel
    let requestID = RequestID()
    /// What the request's body takes of the memory for all of them.
    let body: BodyShare
    /// Whose key came with the request; set before any route runs.
    var account = Account.default

    init(source: Source) {
        coreContext = CoreRequestContextStorage(source: source)
        channel = source.channel
        body = BodyShare(of: source.incomingBytes)
    }

    /// What it is made of.
    struct Source: RequestContextSource {
        let channel: any Channel
        let logger: Logger
        let incomingBytes: IncomingBytes
    }

    /// A variable segment of the path, decoded.
    func segment(_ name: String) throws(Problem) -> String {
        guard let text = (parameters.get(name) ?? "").removingPercentEncoding else {
            throw Problem(
                .badRequest, "the path's '\(name)' is not percent-encoded UTF-8; encode it again", parameter: name)
        }
        return text
    }
}
