// Part of Rollcall. SPDX-License-Identifier: Apache-2.0

import Foundation

/// The time of day.
enum WallClock {
    /// Microseconds since 1970.
    static func now() -> Int64 { Int64(Date().timeIntervalSince1970 * 1_000_000) }
}
