// Part of Rollcall. SPDX-License-Identifier: Apache-2.0

/// Whether records can be committed.
package enum StoreHealth: Sendable, Hashable {
    case healthy
    /// Why not, in a sentence. It is tried again all the time.
    case unhealthy(String)

    package var isHealthy: Bool { self == .healthy }
}
