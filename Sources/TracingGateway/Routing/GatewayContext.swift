// Part of Rollcall. SPDX-License-Identifier: Apache-2.0

import Foundation
import Hummingbird
import HummingbirdCore
import Logging
import NIOCore
import TraceStore

/// What the routes know of a request besides itself.
struct GatewayContext: RequestContext {
    var coreContext: CoreRequestContextStorage
    let channel: any Channel
    let requestID = RequestID()
    /// Whose key came with the request; set before any route runs.
    var account = Account.default

    init(source: ApplicationRequestContextSource) {
        coreContext = CoreRequestContextStorage(source: source)
        channel = source.channel
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
