// Part of Rollcall. SPDX-License-Identifier: Apache-2.0

import HTTPTypes
import Hummingbird
import NIOCore

/// The environment's routes.
struct EnvironmentRoutes: Sendable {
    let core: EnvironmentCore

    func add<Context: RequestContext>(to router: some RouterMethods<Context>) {
        router.on("/init", method: .post) { request, _ -> Response in
            switch await body(of: request) {
            case .success(let bytes):
                await core.initialize(bytes, authorization: request.headers[.authorization]).response
            case .failure(let refusal): refusal.answer.response
            }
        }
        router.on("/cancel", method: .post) { request, _ -> Response in
            switch await body(of: request) {
            case .success(let bytes): core.cancel(bytes, authorization: request.headers[.authorization]).response
            case .failure(let refusal): refusal.answer.response
            }
        }
        router.on("/status", method: .get) { request, _ -> Response in
            core.status(
                of: request.uri.queryParameters["rollout_id"].map(String.init),
                authorization: request.headers[.authorization]
            ).response
        }
        router.on("/health", method: .get) { _, _ -> Response in core.health.response }
        for (path, allowed) in [("init", "POST"), ("cancel", "POST"), ("status", "GET"), ("health", "GET")] {
            for method in [HTTPRequest.Method.get, .post, .put, .patch, .delete] where method.rawValue != allowed {
                router.on("/\(RouterPath(path))", method: method) { _, _ -> Response in
                    var answer = InitAnswer.error(
                        405, code: "method_not_allowed", "/\(path) takes \(allowed), not \(method.rawValue).")
                    answer.headers.append(("allow", allowed))
                    return answer.response
                }
            }
        }
    }

    private struct Refusal: Error { let answer: InitAnswer }

    private func body(of request: Request) async -> Result<[UInt8], Refusal> {
        let limit = core.configuration.maximumBodyBytes
        if let length = request.headers[.contentLength].flatMap(Int.init), length > limit {
            return .failure(Refusal(answer: core.tooLarge))
        }
        var bytes: [UInt8] = []
        do {
            for try await buffer in request.body {
                guard bytes.count + buffer.readableBytes <= limit else {
                    return .failure(Refusal(answer: core.tooLarge))
                }
                bytes.append(contentsOf: buffer.readableBytesView)
            }
        } catch {
            return .failure(
                Refusal(answer: .error(400, code: "body_incomplete", "The body ended before it was complete.")))
        }
        return .success(bytes)
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

/// Answers unknown paths as everything else is answered.
struct UnknownPathResponder<Base: HTTPResponder>: HTTPResponder {
    let base: Base

    func respond(to request: Request, context: Base.Context) async throws -> Response {
        let response = try await base.respond(to: request, context: context)
        // No route of ours answers 404: this one is the router's.
        guard response.status == .notFound else { return response }
        return InitAnswer.error(
            404, code: "not_found",
            "There is no \(request.uri.path.prefix(100)); there are /init, /cancel, /status and /health."
        ).response
    }
}
