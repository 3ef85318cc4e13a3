// Part of Rollcall. SPDX-License-Identifier: Apache-2.0

import EvalProtocol
import WireJSON

/// The answer to a request, for any web framework to send.
public struct InitAnswer: Sendable {
    /// The HTTP status.
    public var status: Int
    /// Beside `Content-Type: application/json`.
    public var headers: [(name: String, value: String)]
    /// JSON.
    public var body: [UInt8]

    init(status: Int, headers: [(name: String, value: String)] = [], json: JSONValue) {
        self.status = status
        self.headers = headers
        body = json.serialized()
    }

    /// A body that is not JSON; the headers say what it is.
    init(status: Int, headers: [(name: String, value: String)], text: String) {
        self.status = status
        self.headers = headers
        body = Array(text.utf8)
    }

    /// What is wrong, if the answer is an error.
    var problem: (code: String, message: String)? {
        guard status >= 400, let error = try? JSONValue(parsing: body)["error"] else { return nil }
        return (error["code"]?.string ?? "", error["message"]?.string ?? "")
    }

    /// An error in OpenAI's shape, with the same sentence as `detail` and an id to ask about.
    static func error(
        _ status: Int, code: String, _ message: String, type: String? = nil, param: String? = nil,
        retryAfter: Int? = nil
    ) -> InitAnswer {
        let id = "req-\(String(UInt64.random(in: .min ... .max), radix: 36))"
        var headers = [(name: "x-rollcall-request-id", value: id)]
        if let retryAfter { headers.append(("retry-after", String(retryAfter))) }
        return InitAnswer(
            status: status, headers: headers,
            json: [
                "error": [
                    "message": .string(message),
                    "type": .string(type ?? (status < 500 ? "invalid_request_error" : "server_error")),
                    "param": param.map { .string($0) } ?? .null, "code": .string(code),
                ],
                "detail": .string(message),
                "request_id": .string(id),
            ])
    }

    /// What `/init` says of an execution that is under way.
    static func accepted(_ key: RolloutRegistry.Key, joined: Bool) -> InitAnswer {
        InitAnswer(
            status: 200,
            json: [
                "status": joined ? "joined" : "accepted", "rollout_id": .string(key.rolloutID),
                "attempt": key.attempt.json,
            ])
    }

    /// What `/init` says of an execution that is over: its receipt.
    static func ended(_ key: RolloutRegistry.Key, _ status: Status) -> InitAnswer {
        var receipt: JSONObject = ["status": status.json]
        if !status.extras.members.isEmpty { receipt.append("extras", .object(status.extras)) }
        return InitAnswer(
            status: 200,
            json: [
                "status": "ended", "rollout_id": .string(key.rolloutID), "attempt": key.attempt.json,
                "receipt": .object(receipt),
            ])
    }
}
