// Part of Rollcall. SPDX-License-Identifier: Apache-2.0

/// Why a gateway did not start.
package struct GatewayStartError: Error, Sendable, Hashable, CustomStringConvertible {
    /// What happened and what to do.
    package let description: String
    let isInUse: Bool

    private init(_ description: String, isInUse: Bool = false) {
        self.description = description
        self.isInUse = isInUse
    }

    static func portInUse(_ host: String, _ port: Int) -> GatewayStartError {
        GatewayStartError(
            "port \(port) of \(host) is in use; choose another with --port or ROLLCALL_PORT, 0 for a free one",
            isInUse: true)
    }

    static func cannotBind(_ host: String, _ port: Int, _ reason: String) -> GatewayStartError {
        GatewayStartError("cannot listen on \(host), port \(port): \(reason); see --host and --port")
    }

    static func needsKeys(_ host: String) -> GatewayStartError {
        GatewayStartError(
            "without keys a gateway listens on loopback only, and \(host) is not loopback; set ROLLCALL_API_KEYS or "
                + "--api-keys-file, or use --host localhost")
    }
}
