// Part of Rollcall. SPDX-License-Identifier: Apache-2.0

import EvalProtocol
import WireJSON

extension ModelError {
    /// The error that an answer other than a success stands for.
    init(answer: ModelResponse, body: [UInt8], endpoint: ModelEndpoint, secrets: Secrets) {
        let json = try? JSONValue(parsing: body)
        let explanation = (json?["error"]?["message"] ?? json?["error"] ?? json?["detail"] ?? json?["message"])?.string
        var message = "The model server \(endpoint.origin) answered \(answer.status)"
        if let explanation, !explanation.isEmpty { message += ": \(secrets.redact(explanation, limit: 500))" }
        switch answer.status {
        case 401, 403:
            message +=
                endpoint.apiKey == nil
                ? " (no key was sent: set api_key in /init, or OPENAI_API_KEY beside OPENAI_BASE_URL)"
                : " (the key comes from api_key in /init, or from the environment's own configuration)"
        case 404: message += " (asked for \(endpoint.pathForMessages))"
        default: break
        }
        self.init(
            FailureReason(gatewayError: json?["error"]) ?? FailureReason(modelHTTPStatus: answer.status), message,
            httpStatus: answer.status,
            retryAfter: RetryPolicy.retryAfter(
                milliseconds: answer.header("retry-after-ms"), seconds: answer.header("retry-after")),
            isTransient: RetryPolicy.isTransient(
                httpStatus: answer.status, shouldRetry: answer.header("x-should-retry")))
    }

    /// The error that an event of a stream reports, if it reports one.
    init?(event: JSONValue) {
        guard let error = event["error"], error != .null else { return nil }
        let explanation = (error["message"] ?? error).string ?? "no message"
        let status = error["code"]?.int ?? error["status"]?.int
        let reason = status.map { FailureReason(modelHTTPStatus: $0) } ?? .modelStreamBroken
        self.init(
            reason == .modelCallFailed ? .modelStreamBroken : reason,
            "The model's answer broke off with an error: \(explanation.prefix(500))", httpStatus: nil)
    }
}

extension ModelEndpoint {
    /// The path of the call, shortened: tagged paths are long.
    fileprivate var pathForMessages: String {
        let path = url.drop { $0 != ":" }.dropFirst(3).drop { $0 != "/" }
        return path.count <= 120 ? String(path) : "\(path.prefix(60))…\(path.suffix(40))"
    }
}
