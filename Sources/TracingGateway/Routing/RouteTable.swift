// Part of Rollcall. SPDX-License-Identifier: Apache-2.0

import HTTPTypes
import Hummingbird
import HummingbirdCore

/// Routes by path and method; for the other methods of a known path it answers 405.
struct RouteTable {
    typealias Handler = @Sendable (Request, GatewayContext) async throws -> Response

    private var routes: [(path: String, methods: [HTTPRequest.Method: Handler])] = []

    mutating func add(_ method: HTTPRequest.Method, _ paths: [String], _ handler: @escaping Handler) {
        for path in paths {
            if let index = routes.firstIndex(where: { $0.path == path }) {
                routes[index].methods[method] = handler
            } else {
                routes.append((path, [method: handler]))
            }
        }
    }

    static let methods: [HTTPRequest.Method] = [.get, .head, .post, .put, .patch, .delete, .options]

    func register(with router: Router<GatewayContext>) {
        for route in routes {
            let allowed = route.methods.keys.map(\.rawValue).sorted()
            for method in Self.methods {
                let path = RouterPath(route.path)
                if let handler = route.methods[method] {
                    router.on(path, method: method, use: handler)
                    continue
                }
                router.on(path, method: method) { request, _ -> Response in
                    throw Problem(
                        .methodNotAllowed,
                        "\(request.uri.path) takes \(allowed.joined(separator: ", ")), not \(request.method.rawValue)",
                        code: "method_not_allowed", allowed: allowed)
                }
            }
        }
    }
}
