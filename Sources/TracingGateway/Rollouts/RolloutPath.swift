// Part of Rollcall. SPDX-License-Identifier: Apache-2.0

import Foundation
import HTTPTypes
import HummingbirdCore

/// What a path below `/v1/rollouts/` names.
///
/// Read from the path as it came: the router leaves out empty segments, and so takes one id for another. An id may have
/// slashes in it; one that ends in `/traces` has that slash escaped.
enum RolloutPath {
    /// The rollout itself.
    case rollout(String)
    /// Its calls: the last segment is `traces`.
    case traces(String)

    init(_ request: Request) throws(Problem) {
        let path = request.uri.path.dropFirst("/v1/rollouts/".count)
        let ending = "/traces"
        let isTraces = path.hasSuffix(ending) && path.count > ending.count
        guard let id = (isTraces ? path.dropLast(ending.count) : path).removingPercentEncoding else {
            throw Problem(
                .badRequest, "the path's rollout id is not percent-encoded UTF-8; encode it again",
                parameter: "rollout_id")
        }
        self = isTraces ? .traces(id) : .rollout(id)
    }
}
