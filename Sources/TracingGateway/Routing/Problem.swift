// Part of Rollcall. SPDX-License-Identifier: Apache-2.0

import EvalProtocol
import HTTPTypes
import ModelProxy
import TraceStore
import WireJSON

/// Why a request is not served: a status, OpenAI's error shape with the same sentence as `detail`, and headers.
struct Problem: Error, Sendable, CustomStringConvertible {
    let status: HTTPResponse.Status
    let message: String
    /// The field, parameter or header that is wrong.
    var parameter: String?
    /// A stable word for programs.
    var code: String?
    var retryAfterSeconds: Int?
    var allowed: [String] = []
    /// Whether a repeat may help; `nil` where the status says so.
    var isWorthRepeating: Bool?

    init(
        _ status: HTTPResponse.Status, _ message: String, parameter: String? = nil, code: String? = nil,
        retryAfterSeconds: Int? = nil, allowed: [String] = []
    ) {
        self.status = status
        self.message = message
        self.parameter = parameter
        self.code = code
        self.retryAfterSeconds = retryAfterSeconds
        self.allowed = allowed
    }

    var description: String { message }

    private var type: String {
        switch status.code {
        case 401: "authentication_error"
        case 403: "permission_error"
        case 429: "rate_limit_error"
        case 500...: "server_error"
        default: "invalid_request_error"
        }
    }

    var body: [UInt8] {
        let error: JSONObject = [
            "message": .string(message), "type": .string(type), "param": parameter.map { .string($0) } ?? .null,
            "code": code.map { .string($0) } ?? .null,
        ]
        return JSONValue.object(["error": .object(error), "detail": .string(message)]).serialized()
    }

    var headerFields: HTTPFields {
        var fields: HTTPFields = [.contentType: "application/json"]
        if let retryAfterSeconds { fields[.retryAfter] = String(retryAfterSeconds) }
        if !allowed.isEmpty { fields[.allow] = allowed.joined(separator: ", ") }
        if status.code == 401 { fields[.wwwAuthenticate] = "Bearer" }
        if status.code == 413, let name = HTTPField.Name("connection") { fields[name] = "close" }
        let mayRepeat = isWorthRepeating ?? (status.code >= 500 || status.code == 408 || status.code == 429)
        if !mayRepeat, let name = HTTPField.Name("x-should-retry") { fields[name] = "false" }
        return fields
    }
}

extension Problem {
    /// What stands in the body at a path that the error names.
    static func body(_ error: any Error) -> Problem {
        switch error {
        case let problem as Problem: problem
        case let error as JSONDecodingError:
            Problem(.badRequest, error.description, parameter: error.path.isRoot ? nil : error.path.description)
        case let error as JSONError: Problem(.badRequest, "the body is \(error.description)")
        default: Problem(.badRequest, "the body cannot be read: \(error)")
        }
    }

    static func parameter(_ name: String, _ expected: String, found: String?) -> Problem {
        let shown = found.map { $0.count > 60 ? "'\($0.prefix(57))…'" : "'\($0)'" } ?? "nothing"
        return Problem(
            .unprocessableContent, "query parameter '\(name)': expected \(expected), found \(shown)", parameter: name)
    }

    static func store(_ error: StoreError) -> Problem {
        switch error.reason {
        case .refused: Problem(.badRequest, error.description, code: "refused")
        case .unavailable, .unusable: unavailable(error.description)
        }
    }

    static func unavailable(_ sentence: String) -> Problem {
        Problem(.serviceUnavailable, sentence, code: "store_unavailable", retryAfterSeconds: 1)
    }

    static func tooBusy(_ what: String, parameter flag: String) -> Problem {
        Problem(.serviceUnavailable, what, parameter: flag, code: "too_busy", retryAfterSeconds: 1)
    }

    static func tooManyBodies(limit: Int) -> Problem {
        Problem(
            .serviceUnavailable,
            "the bodies of all the requests that are coming in are larger than \(limit) bytes together; send it again "
                + "later, or start the gateway with a larger --max-incoming-bytes",
            parameter: "--max-incoming-bytes", code: "overloaded", retryAfterSeconds: 2)
    }

    /// A rollout has as many log lines as it may.
    static func tooManyLogs(_ sentence: String) -> Problem {
        var problem = Problem(
            .tooManyRequests, sentence, parameter: "--max-logs-per-rollout", code: "too_many_logs")
        problem.isWorthRepeating = false
        return problem
    }

    static func bodyTooLarge(_ bytes: Int) -> Problem {
        Problem(
            .contentTooLarge,
            "the body is larger than \(bytes) bytes; send less at once, or start the gateway with a larger "
                + "--max-log-body-bytes",
            parameter: "--max-log-body-bytes", code: "body_too_large")
    }
}
