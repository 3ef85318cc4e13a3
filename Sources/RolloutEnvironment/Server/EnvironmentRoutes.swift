// Part of Rollcall. SPDX-License-Identifier: Apache-2.0

import HTTPTypes
import Hummingbird
import NIOCore
import OpenAPI
import WireJSON

/// The environment's routes, each with its description.
struct EnvironmentRoutes: Sendable {
    private struct Route: Sendable {
        let method: HTTPRequest.Method
        let path: String
        let operation: APIOperation
        let handler: @Sendable (Request) async -> InitAnswer

        var place: APIDocument.Place {
            APIDocument.Place(method: method.rawValue, path: path, operation: operation)
        }
    }

    private let core: EnvironmentCore
    private let crossOrigin: CrossOrigin
    private var routes: [Route] = []

    /// - Parameter servesRoot: Whether `/` answers as `/init` and `/health` do; an application that these routes are added
    ///   to has a `/` of its own.
    init(core: EnvironmentCore, servesRoot: Bool) {
        self.core = core
        crossOrigin = CrossOrigin(allowed: core.configuration.allowedWebOrigins, logger: core.configuration.logger)
        for path in servesRoot ? ["/init", "/"] : ["/init"] {
            add(.post, path, path == "/" ? .initializeAtRoot : .initialize) { request in
                await TraceHeaders.continuing(request.headers) {
                    await core.answer(request) {
                        await core.initialize($0, authorization: request.headers[.authorization])
                    }
                }
            }
        }
        add(.post, "/cancel", .cancel) { request in
            await core.answer(request) { core.cancel($0, authorization: request.headers[.authorization]) }
        }
        add(.get, "/status", .status) { request in
            core.status(
                of: request.uri.queryParameters["rollout_id"].map(String.init),
                authorization: request.headers[.authorization])
        }
        for path in servesRoot ? ["/health", "/"] : ["/health"] {
            add(.get, path, path == "/" ? .healthAtRoot : .health) { _ in core.health }
        }
        add(.get, "/metrics", .metrics) { core.metrics(authorization: $0.headers[.authorization]) }
        addDescription()
    }

    private mutating func add(
        _ method: HTTPRequest.Method, _ path: String, _ operation: APIOperation,
        _ handler: @escaping @Sendable (Request) async -> InitAnswer
    ) {
        routes.append(Route(method: method, path: path, operation: operation, handler: handler))
    }

    /// `GET /openapi.json`: all of them, itself included.
    private mutating func addDescription() {
        let path = "/openapi.json"
        let own = APIDocument.Place(method: "GET", path: path, operation: .description)
        let needsKey = !core.keys.isOpen
        let document = APIDocument(
            title: "Rollcall environment", details: "Runs an agent when a rollout is asked for.",
            // Where this is, for the secret is not told even to those who have it.
            root: hasPathSecret ? "." : "/", needsKey: needsKey,
            keyDetails: needsKey
                ? "One of the environment's keys; for `/init` the body's `api_key` does, too."
                : "This environment takes any key, and requests without one.",
            places: routes.map(\.place) + [own])
        let answer = InitAnswer(status: 200, json: document.json)
        add(.get, path, .description) { _ in answer }
    }

    private static let methods: [HTTPRequest.Method] = [.get, .head, .post, .put, .patch, .delete, .options, .trace]

    func add<Context: RequestContext>(to router: some RouterMethods<Context>) {
        let secret = PathSecret.parameter
        let prefix = hasPathSecret ? "/:\(secret)" : ""
        for route in routes {
            router.on(RouterPath(prefix + route.path), method: route.method) { request, context -> Response in
                guard admits(context.parameters.get(secret)?[...]) else { return Self.nothing.response }
                let refusal = crossOrigin.refusal(of: request)
                if let refusal { core.configuration.logger.refused(nil, refusal, after: .zero) }
                var response = if let refusal { refusal.response } else { await route.handler(request).response }
                crossOrigin.admit(request, to: &response)
                return response
            }
        }
        for path in Set(routes.map(\.path)) {
            let taken = methods(of: path)
            for method in Self.methods where !taken.contains(method) {
                router.on(RouterPath(prefix + path), method: method) { request, context -> Response in
                    guard admits(context.parameters.get(secret)?[...]) else { return Self.nothing.response }
                    guard method == .options else { return wrongMethod(method, path).response }
                    var response = crossOrigin.answer(methods: taken)
                    crossOrigin.admit(request, to: &response)
                    return response
                }
            }
        }
    }

    // MARK: The secret in front

    /// One that cannot be used lets nobody in.
    private var hasPathSecret: Bool { core.configuration.pathSecret != nil }

    private func admits(_ segment: Substring?) -> Bool {
        hasPathSecret ? core.pathSecret?.equals(segment) ?? false : true
    }

    /// All that is told to those who do not have the secret.
    private static let nothing = InitAnswer.error(404, code: "not_found", "There is nothing at this address.")

    // MARK: What no route takes

    private func methods(of path: String) -> [HTTPRequest.Method] {
        routes.filter { $0.path == path }.map(\.method)
    }

    /// The answer to a request that no route takes.
    func refusal(of request: Request) -> InitAnswer {
        var segments = request.uri.path.split(separator: "/")[...]
        if hasPathSecret {
            guard admits(segments.popFirst()) else { return Self.nothing }
        }
        let path = "/" + segments.joined(separator: "/")
        if !methods(of: path).isEmpty { return wrongMethod(request.method, path) }
        let paths = routes.map(\.path).joined(separator: ", ")
        return .error(404, code: "not_found", "There is no \(path.prefix(100)); there are \(paths).")
    }

    private func wrongMethod(_ method: HTTPRequest.Method, _ path: String) -> InitAnswer {
        let names = (methods(of: path).map(\.rawValue) + ["OPTIONS"]).joined(separator: ", ")
        var answer = InitAnswer.error(
            405, code: "method_not_allowed", "\(path) takes \(names), not \(method.rawValue).")
        answer.headers.append(("allow", names))
        return answer
    }
}

extension EnvironmentCore {
    /// The answer to a request with a body.
    fileprivate func answer(_ request: Request, _ handler: ([UInt8]) async -> InitAnswer) async -> InitAnswer {
        let limit = configuration.maximumBodyBytes
        if let length = request.headers[.contentLength].flatMap(Int.init), length > limit { return tooLarge }
        var bytes: [UInt8] = []
        do {
            for try await buffer in request.body {
                guard bytes.count + buffer.readableBytes <= limit else { return tooLarge }
                bytes.append(contentsOf: buffer.readableBytesView)
            }
        } catch {
            return .error(400, code: "body_incomplete", "The body ended before it was complete.")
        }
        return await handler(bytes)
    }
}

extension InitAnswer {
    var response: Response {
        var fields: HTTPFields = [.contentType: "application/json"]
        for header in headers {
            if let name = HTTPField.Name(header.name) { fields[name] = header.value }
        }
        return Response(
            status: HTTPResponse.Status(code: status), headers: fields,
            body: ResponseBody(byteBuffer: ByteBuffer(bytes: body)))
    }
}

/// Answers what no route takes as everything else is answered.
struct UnknownPathResponder<Base: HTTPResponder>: HTTPResponder {
    let base: Base
    let routes: EnvironmentRoutes

    func respond(to request: Request, context: Base.Context) async throws -> Response {
        var response = try await base.respond(to: request, context: context)
        // No route of ours answers 404: this one is the router's.
        if response.status == .notFound { response = routes.refusal(of: request).response }
        // A body after a HEAD would be taken for the next answer.
        return request.method == .head ? response.createHeadResponse() : response
    }
}
