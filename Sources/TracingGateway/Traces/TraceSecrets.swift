// Part of Rollcall. SPDX-License-Identifier: Apache-2.0

import WireJSON

/// Keys that callers put into request bodies, and that no reader of a trace may see.
enum TraceSecrets {
    private static let fields = ["api_key"]

    static func removing(from body: [UInt8]) -> [UInt8] {
        var body = body
        for field in fields {
            guard let value = try? JSONFields(of: body.span).value(of: field, in: body.span), value.count > 2,
                let cleaned = try? JSONSplice.setting(field, to: Array("\"removed\"".utf8), in: body)
            else { continue }
            body = cleaned
        }
        return body
    }
}
