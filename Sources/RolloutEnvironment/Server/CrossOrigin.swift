// Part of Rollcall. SPDX-License-Identifier: Apache-2.0

import HTTPTypes
import Hummingbird

/// What browsers are told about who may call the environment from a page.
struct CrossOrigin: Sendable {
    /// `*`, or origins.
    let allowed: [String]

    /// The answer to OPTIONS on a path that takes `methods`.
    func answer(methods: [HTTPRequest.Method]) -> Response {
        let names = (methods.map(\.rawValue) + ["OPTIONS"]).joined(separator: ", ")
        var fields: HTTPFields = [.allow: names]
        if !allowed.isEmpty {
            fields[.accessControlAllowMethods] = names
            fields[.accessControlAllowHeaders] = "authorization, content-type"
            fields[.accessControlMaxAge] = "600"
        }
        return Response(status: .noContent, headers: fields)
    }

    /// Lets the page that a request comes from read its answer, if it may.
    func admit(_ request: Request, to response: inout Response) {
        guard !allowed.isEmpty else { return }
        if allowed.contains("*") {
            response.headers[.accessControlAllowOrigin] = "*"
        } else {
            response.headers[.vary] = "origin"
            guard let origin = request.headers[.origin], allowed.contains(origin) else { return }
            response.headers[.accessControlAllowOrigin] = origin
        }
        response.headers[.accessControlExposeHeaders] = "retry-after, x-rollcall-request-id"
    }
}
