// Part of Rollcall. SPDX-License-Identifier: Apache-2.0

package import NIOCore
import NIOHTTP1

/// The problems of a connection, before anybody knows what the request is for.
extension GatewayProblem {
    static func notHTTP(_ reason: String) -> GatewayProblem {
        badRequest("The request is not valid HTTP/1.1: \(reason).", code: "invalid_http")
    }

    static func headTooLarge(_ limits: ConnectionLimits) -> GatewayProblem {
        GatewayProblem(
            status: 431,
            "The request's head is larger than \(limits.headBytes) bytes (--max-head-bytes) or has more than "
                + "\(limits.headerFields) fields (--max-header-fields).",
            type: "invalid_request_error", code: "head_too_large")
    }

    static func slowHead(_ limits: ConnectionLimits) -> GatewayProblem {
        GatewayProblem(
            status: 408, "The request's head took more than \(seconds(limits.head)) s (--head-seconds).",
            type: "invalid_request_error", code: "slow_head", isWorthRepeating: true)
    }

    static func slowBody(_ limits: ConnectionLimits) -> GatewayProblem {
        GatewayProblem(
            status: 408,
            "The request's body stopped for more than \(seconds(limits.bodyPause)) s (--body-pause-seconds) "
                + "or took more than \(seconds(limits.body)) s (--body-seconds).",
            type: "invalid_request_error", code: "slow_body", isWorthRepeating: true)
    }

    package static func tooManyConnections(_ limits: ConnectionLimits) -> GatewayProblem {
        GatewayProblem(
            status: 503,
            "\(limits.connections) connections are open, as many as --max-connections allows. Send the request again "
                + "later.",
            type: "server_error", code: "too_busy", param: "--max-connections", retryAfter: 1, isWorthRepeating: true)
    }

    private static func seconds(_ time: TimeAmount) -> String {
        let milliseconds = time.nanoseconds / 1_000_000
        return milliseconds % 1000 == 0 ? "\(milliseconds / 1000)" : "\(Double(milliseconds) / 1000)"
    }
}

/// A problem as an answer.
extension GatewayProblem {
    /// Its head, for an answer with ``body``.
    func head(requestID: String) -> HTTPResponseHead {
        var fields: HTTPHeaders = [
            "content-type": "application/json", "content-length": String(body.count),
            "x-rollcall-request-id": requestID,
        ]
        for header in headers { fields.add(name: header.name, value: header.value) }
        return HTTPResponseHead(
            version: .http1_1, status: HTTPResponseStatus(statusCode: status), headers: fields)
    }

    /// The whole answer, for one who writes it straight to a socket that is closed then.
    package func rawAnswer(requestID: String) -> ByteBuffer {
        let head = head(requestID: requestID)
        var text = "HTTP/1.1 \(status) \(head.status.reasonPhrase)\r\nconnection: close\r\n"
        for (name, value) in head.headers { text += "\(name): \(value)\r\n" }
        return ByteBuffer(bytes: Array("\(text)\r\n".utf8) + body)
    }
}
