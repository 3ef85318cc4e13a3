// Part of Rollcall. SPDX-License-Identifier: Apache-2.0

import HTTPTypes

/// The name by which a request is found in the gateway's log.
struct RequestID: Sendable, CustomStringConvertible {
    static let headerName = "x-rollcall-request-id"
    static let field = HTTPField.Name(headerName)

    let description: String

    init() {
        let digits = String(UInt64.random(in: .min ... .max), radix: 16)
        description = "req_" + String(repeating: "0", count: 16 - digits.count) + digits
    }
}
