// Part of Rollcall. SPDX-License-Identifier: Apache-2.0

import Foundation
import TracingGateway
import WireJSON

/// What a gateway says on standard output when it listens.
struct GatewayAnnouncement: Sendable {
    let hasKeys: Bool

    /// One line for programs, and on a terminal what a user of the Python package has to export.
    func print(_ address: Gateway.Address) {
        var text = Self.line(address)
        if isatty(STDOUT_FILENO) == 1 { text += "\n" + exports(address) }
        StandardStreams.print(text)
    }

    private static func line(_ address: Gateway.Address) -> String {
        let object: JSONObject = [
            "event": "ready", "url": .string(address.url), "port": .number(address.port),
            "sockets": .array(address.sockets.map { .string($0) }), "pid": .number(Int(getpid())),
        ]
        return JSONValue.object(object).description
    }

    private func exports(_ address: Gateway.Address) -> String {
        var lines = [
            "", "For the Python package, in the environment's shell and in that of pytest:", "",
            "  export EP_MODEL_BASE_URL=\(address.url)",
            "  export FW_TRACING_GATEWAY_BASE_URL=\(address.url)",
            "  export FIREWORKS_API_KEY=\(hasKeys ? "…   # one of this gateway's keys" : "none   # any text will do")",
        ]
        if !address.url.hasPrefix("http://localhost") {
            lines += [
                "",
                "The package tags model calls only for a gateway whose URL begins with http://localhost; forward a "
                    + "local port to this one.",
            ]
        }
        return lines.joined(separator: "\n") + "\n"
    }
}
