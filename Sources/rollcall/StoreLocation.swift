// Part of Rollcall. SPDX-License-Identifier: Apache-2.0

/// Where a store is, as `--store` and ROLLCALL_STORE tell it.
struct StoreLocation {
    let path: String

    /// - Parameter text: `nil` for the usual place.
    init(_ text: String?) throws(GatewaySettingError) {
        let text = text ?? "sqlite:rollcall.sqlite"
        guard text.hasPrefix("sqlite:"), text.count > "sqlite:".count else {
            throw GatewaySettingError(description: "--store is '\(text)', write sqlite:PATH")
        }
        path = String(text.dropFirst("sqlite:".count))
    }
}
