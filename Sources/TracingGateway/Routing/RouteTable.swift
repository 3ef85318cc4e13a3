// Part of Rollcall. SPDX-License-Identifier: Apache-2.0

import HTTPTypes
import Hummingbird
import HummingbirdCore
import OpenAPI

/// Routes by path and method, each with its description.
struct RouteTable {
    typealias Handler = @Sendable (Request, GatewayContext) async throws -> Response

    private struct Route {
        let method: HTTPRequest.Method
        let operation: APIOperation
        let handler: Handler
    }

    private var routes: [(path: String, routes: [Route])] = []
    private var described: [APIDocument.Place] = []

    mutating func add(
        _ method: HTTPRequest.Method, _ paths: [String], _ operation: APIOperation, _ handler: @escaping Handler
    ) {
        let route = Route(method: method, operation: operation, handler: handler)
        for path in paths {
            if let index = routes.firstIndex(where: { $0.path == path }) {
                routes[index].routes.append(route)
            } else {
                routes.append((path, [route]))
            }
        }
    }

    /// Describes what a handler of a wider path answers at this one; variables in braces.
    mutating func describe(_ method: HTTPRequest.Method, _ path: String, _ operation: APIOperation) {
        described.append(APIDocument.Place(method: method.rawValue, path: path, operation: operation))
    }

    func register(with router: Router<GatewayContext>) {
        for (path, routes) in routes {
            for route in routes { router.on(RouterPath(path), method: route.method, use: route.handler) }
        }
    }

    /// Why the router has found nothing for a request.
    func problem(with request: Request) -> Problem {
        let segments = request.uri.path.split(separator: "/")
        let found = routes.filter { Self.matches(segments, $0.path.split(separator: "/")) }
        guard !found.isEmpty else {
            return Problem(
                .notFound, "there is no route \(request.method.rawValue) \(request.uri.path)", code: "not_found")
        }
        let special = described.filter { Self.matches(segments, $0.path) }.map(\.method)
        let allowed = Set(special.isEmpty ? found.flatMap { $0.routes.map(\.method.rawValue) } : special).sorted()
        return Problem(
            .methodNotAllowed,
            "\(request.uri.path) takes \(allowed.joined(separator: ", ")), not \(request.method.rawValue)",
            code: "method_not_allowed", allowed: allowed)
    }

    /// Whether the router takes a path for one of this form; like it, without regard to empty segments.
    private static func matches(_ segments: [Substring], _ form: [Substring]) -> Bool {
        guard form.last == "**" ? segments.count >= form.count : segments.count == form.count else { return false }
        return zip(segments, form).allSatisfy { segment, expected in
            expected == "**" || expected.hasPrefix(":") || segment == expected
        }
    }

    /// Whether a path is of a described form; its variables may have slashes.
    private static func matches(_ segments: [Substring], _ template: String) -> Bool {
        let form = template.split(separator: "/")
        let beginning = form.prefix { !$0.hasPrefix("{") }
        let ending = form.reversed().prefix { !$0.hasPrefix("{") }
        return segments.count >= form.count && segments.starts(with: beginning)
            && segments.reversed().starts(with: ending)
    }

    // MARK: The description

    /// What is added, as a description has it.
    var places: [APIDocument.Place] {
        routes.flatMap { path, routes in
            routes.map {
                APIDocument.Place(
                    method: $0.method.rawValue, path: Self.template(path, $0.operation), operation: $0.operation)
            }
        } + described
    }

    /// The paths whose operations all need no key.
    var openPaths: Set<String> { Set(routes.filter { $0.routes.allSatisfy(\.operation.isOpen) }.map(\.path)) }

    /// A path with its variables in braces. What the router takes as any rest of a path is the operation's own last
    /// variable.
    private static func template(_ path: String, _ operation: APIOperation) -> String {
        path.split(separator: "/").reduce(into: "") { template, segment in
            switch segment {
            case "**":
                let rest = operation.parameters.last { $0.place == .path }
                template += "/{\(rest?.name ?? "rest")}"
            case let variable where variable.hasPrefix(":"): template += "/{\(variable.dropFirst())}"
            default: template += "/\(segment)"
            }
        }
    }
}
