// Part of Rollcall. SPDX-License-Identifier: Apache-2.0

import TracingGateway

/// A time is the same once written and read.
enum TimesFuzz: FuzzTarget {
    static let name = "times"

    static let seeds = [
        "2026-01-31T12:00:00.123456Z", "1969-12-31 23:59:60,5+02:00", "2024-02-29", "0000-01-01T00:00-0100",
        "9999-12-31T23:59:59z",
    ].map { Array($0.utf8) }

    static func run(_ input: [UInt8]) {
        guard let time = Timestamp(String(decoding: input, as: UTF8.self)) else { return }
        require(Timestamp(time.description) == time, "\(time) is the same once written and read")
    }
}
