// Part of Rollcall. SPDX-License-Identifier: Apache-2.0

import EvalProtocol
import WireJSON

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
    /// The methods that would do, for 405.
    package var allow: String?

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
    package var body: [UInt8] { GatewayError(message: message, type: type, param: param, code: code).serialized() }

    /// The body as an event of a stream.
    var event: [UInt8] { Array("data: ".utf8) + body + Array("\n\n".utf8) }

    /// The headers that go with it, besides content type and length.
    package var headers: [(name: String, value: String)] {
        var headers: [(String, String)] = []
        if let retryAfter { headers.append(("retry-after", String(retryAfter))) }
        if !isWorthRepeating { headers.append(("x-should-retry", "false")) }
        if status == 401 { headers.append(("www-authenticate", "Bearer")) }
        if let allow { headers.append(("allow", allow)) }
        return headers
    }
}
