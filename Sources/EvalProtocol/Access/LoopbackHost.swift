// Part of Rollcall. SPDX-License-Identifier: Apache-2.0

/// The names and addresses to listen on that only this machine can reach.
package enum LoopbackHost {
    package static func includes(_ host: String) -> Bool {
        host == "localhost" || host == "::1" || (host.hasPrefix("127.") && host.split(separator: ".").count == 4)
    }
}
