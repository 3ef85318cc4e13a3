// Part of Rollcall. SPDX-License-Identifier: Apache-2.0

import HTTPTypes
import Hummingbird
import Logging

/// Which web pages may call the environment, and what their browsers are told.
struct CrossOrigin: Sendable {
    private let allowsAny: Bool
    private let allowed: Set<WebOrigin>

    /// - Parameter allowed: `*`, or origins.
    init(allowed: [String], logger: Logger) {
        allowsAny = allowed.contains("*")
        self.allowed = Set(allowed.compactMap { WebOrigin($0) })
        for origin in allowed where origin != "*" && WebOrigin(origin) == nil {
            logger.error("allowedWebOrigins: \(origin) is no http or https origin and not *, and allows nothing")
        }
    }

    private var allowsNone: Bool { !allowsAny && allowed.isEmpty }

    private func allows(_ origin: String) -> Bool {
        allowsAny || WebOrigin(origin).map(allowed.contains) == true
    }

    /// The answer to OPTIONS on a path that takes `methods`.
    func answer(methods: [HTTPRequest.Method]) -> Response {
        let names = (methods.map(\.rawValue) + ["OPTIONS"]).joined(separator: ", ")
        var fields: HTTPFields = [.allow: names]
        if !allowsNone {
            fields[.accessControlAllowMethods] = names
            fields[.accessControlAllowHeaders] = "authorization, content-type, traceparent, tracestate"
            fields[.accessControlMaxAge] = "600"
        }
        return Response(status: .noContent, headers: fields)
    }

    /// The answer to a request that would change something, if it comes from a page that may not send it: a browser sends
    /// some without asking first, and keeps but the answer from the page.
    func refusal(of request: Request) -> InitAnswer? {
        guard request.method == .post, let origin = request.headers[.origin], !allows(origin) else { return nil }
        return .error(
            403, code: "web_origin_not_allowed",
            "Pages of \(origin.prefix(200)) may not call this environment; allowedWebOrigins in its configuration lists "
                + "those that may.")
    }

    /// Lets the page that a request comes from read its answer, if it may.
    func admit(_ request: Request, to response: inout Response) {
        guard !allowsNone else { return }
        if allowsAny {
            response.headers[.accessControlAllowOrigin] = "*"
        } else {
            response.headers[.vary] = "origin"
            guard let origin = request.headers[.origin], allows(origin) else { return }
            response.headers[.accessControlAllowOrigin] = origin
        }
        response.headers[.accessControlExposeHeaders] = "retry-after, x-rollcall-request-id"
    }
}
