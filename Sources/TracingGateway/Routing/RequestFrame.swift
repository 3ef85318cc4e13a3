// Part of Rollcall. SPDX-License-Identifier: Apache-2.0

import CoreMetrics
import EvalProtocol
import HTTPTypes
import Hummingbird
import HummingbirdCore
import Logging
import ModelProxy
import TraceStore

/// What every routed request has: an id, an account, an answer to whatever is thrown, and a line in the log.
struct RequestFrame: RouterMiddleware {
    typealias Context = GatewayContext

    let keys: KeyRing
    let logger: Logger
    let metrics: any MetricsFactory
    let routes: RouteTable
    /// Paths that need no key, so that probes work.
    private let openPaths: Set<String>

    init(_ routes: RouteTable, keys: KeyRing, logger: Logger, metrics: any MetricsFactory) {
        self.routes = routes
        self.keys = keys
        self.logger = logger
        self.metrics = metrics
        openPaths = routes.openPaths
    }

    func handle(
        _ request: Request, context: GatewayContext, next: (Request, GatewayContext) async throws -> Response
    ) async throws -> Response {
        var context = context
        var response: Response
        do {
            if !openPaths.contains(request.uri.path) {
                guard let account = keys.account(authorization: request.headers[.authorization]) else {
                    throw Self.wrongKey
                }
                context.account = account
            }
            response = try await next(request, context)
        } catch {
            let problem = problem(for: error, request)
            if problem.status.code >= 500 {
                logger.warning(
                    "A request failed: \(problem.message)",
                    metadata: ["request": "\(context.requestID)", "path": "\(request.uri.path)"])
            }
            response = Response(problem)
        }
        Counter(
            label: "rollcall_http_requests_total",
            dimensions: [("method", Self.method(request)), ("status", "\(response.status.code)")],
            factory: metrics
        ).increment()
        if let field = RequestID.field { response.headers[field] = context.requestID.description }
        logger.debug(
            "\(request.method.rawValue) \(request.uri.path) \(response.status.code)",
            metadata: ["request": "\(context.requestID)"])
        return response
    }

    private static let methods: Set<HTTPRequest.Method> = [.get, .head, .post, .put, .patch, .delete, .options, .trace]

    /// A client can make up as many methods as it likes.
    private static func method(_ request: Request) -> String {
        methods.contains(request.method) ? request.method.rawValue : "other"
    }

    private func problem(for error: any Error, _ request: Request) -> Problem {
        switch error {
        case let problem as Problem: return problem
        case let error as StoreError: return .store(error)
        case let error as HTTPError where error.status == .notFound: return routes.problem(with: request)
        case is CancellationError: return .unavailable("the gateway is shutting down; send the request again")
        default:
            logger.error("A request failed in an unforeseen way: \(error)", metadata: ["path": "\(request.uri.path)"])
            return Problem(.internalServerError, "the gateway failed to answer; its log says why", code: "internal")
        }
    }

    private static let wrongKey = Problem(
        .unauthorized,
        "this gateway needs one of its keys as a bearer token; set FIREWORKS_API_KEY, and EP_REMOTE_API_KEY where it is "
            + "used, to a key of ROLLCALL_API_KEYS or --api-keys-file",
        parameter: "Authorization", code: "invalid_api_key")
}

extension Response {
    init(_ problem: Problem) {
        self.init(
            status: problem.status, headers: problem.headerFields,
            body: ResponseBody(byteBuffer: ByteBuffer(bytes: problem.body)))
    }

    /// JSON that is already written.
    init(json bytes: [UInt8], status: HTTPResponse.Status = .ok) {
        self.init(
            status: status, headers: [.contentType: "application/json"],
            body: ResponseBody(byteBuffer: ByteBuffer(bytes: bytes)))
    }
}
