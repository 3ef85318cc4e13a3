// Part of Rollcall. SPDX-License-Identifier: Apache-2.0

package import WireJSON

/// An answer of the gateway itself to a call that it does not pass on, or whose answer it cannot give.
package struct GatewayProblem: Error, Sendable {
    package var status: Int
    /// What happened, where, and what to do: one sentence or two.
    package var message: String
    /// OpenAI's class of error.
    package var type: String
    package var code: String
    /// The field or parameter that decides.
    package var param: String?
    /// Seconds after which a repeat may help.
    package var retryAfter: Int?
    /// Whether a repeat may help at all.
    package var isWorthRepeating: Bool

    package init(
        status: Int, _ message: String, type: String, code: String, param: String? = nil, retryAfter: Int? = nil,
        isWorthRepeating: Bool = false
    ) {
        self.status = status
        self.message = message
        self.type = type
        self.code = code
        self.param = param
        self.retryAfter = retryAfter
        self.isWorthRepeating = isWorthRepeating
    }

    /// The answer's body: OpenAI's error object, and the message once more as `detail`.
    package var body: [UInt8] { json.serialized() }

    var json: JSONValue {
        [
            "error": [
                "message": .string(message), "type": .string(type), "param": param.map { .string($0) } ?? .null,
                "code": .string(code),
            ],
            "detail": .string(message),
        ]
    }

    /// The headers that go with it, besides content type and length.
    package var headers: [(name: String, value: String)] {
        var headers: [(String, String)] = []
        if let retryAfter { headers.append(("retry-after", String(retryAfter))) }
        if !isWorthRepeating { headers.append(("x-should-retry", "false")) }
        return headers
    }
}

extension GatewayProblem {
    static func badRequest(_ message: String, param: String? = nil, code: String = "bad_request") -> GatewayProblem {
        GatewayProblem(status: 400, message, type: "invalid_request_error", code: code, param: param)
    }

    static let noUpstream = GatewayProblem(
        status: 503,
        "This gateway has no upstream for calls that do not name one. Start it with --upstream URL, or set "
            + "completion_params.base_url to an allowed one.",
        type: "server_error", code: "no_upstream", param: "--upstream")

    static func upstreamNotAllowed(_ url: UpstreamURL) -> GatewayProblem {
        let origin = url.origin?.description ?? url.host
        return GatewayProblem(
            status: 403,
            "This gateway does not call \(origin)\(url.path). Start it with --allow-upstream \(origin) to allow it.",
            type: "permission_error", code: "upstream_not_allowed", param: "--allow-upstream")
    }
}
