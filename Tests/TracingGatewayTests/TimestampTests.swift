// Part of Rollcall. SPDX-License-Identifier: Apache-2.0

import TestSupport
import Testing
import TracingGateway

@Suite("TracingGateway: timestamps") struct TimestampTests {
    @Test(
        "ISO 8601 in the forms that clients write",
        arguments: [
            ("1970-01-01T00:00:00Z", 0), ("1970-01-01T00:00:00", 0), ("1970-01-02", 86_400_000_000),
            ("2026-01-31T12:00:00.123456Z", 1_769_860_800_123_456), ("2026-01-31T12:00:00,5Z", 1_769_860_800_500_000),
            ("2026-01-31T14:00:00.123456789+02:00", 1_769_860_800_123_456),
            ("2026-01-31 07:30:00-0430", 1_769_860_800_000_000),
            ("2024-02-29T00:00:00Z", 1_709_164_800_000_000), ("1969-12-31T23:59:59.5Z", -500_000),
            ("9999-12-31T23:59:59Z", 253_402_300_799_000_000), ("0000-01-01", -62_167_219_200_000_000),
        ] as [(String, Int64)])
    func reading(text: String, microseconds: Int64) {
        #expect(Timestamp(text)?.microseconds == microseconds)
    }

    @Test(
        "other texts are not times",
        arguments: [
            "", "yesterday", "2026", "2026-13-01", "2026-01-32", "2026-01-31T", "2026-01-31T25:00:00Z",
            "2026-01-31T12:00:00.Z", "2026-01-31T12:00:00Zjunk", "2026-01-31T12:00:00+2", "1769860800", "２026-01-01",
            "9999-12-31T23:59:60Z", "0000-01-01T00:00:00+00:01",
        ])
    func refusing(text: String) {
        #expect(Timestamp(text) == nil)
    }

    @Test("writing and reading are inverse") func roundTrip() {
        var generator = SystemRandomNumberGenerator()
        for _ in 0..<1000 {
            let time = Timestamp(
                microseconds: .random(in: -60_000_000_000_000_000...250_000_000_000_000_000, using: &generator))
            #expect(Timestamp(time.description) == time, "\(time.microseconds)")
        }
        #expect(Timestamp(microseconds: 1_769_860_800_123_456).description == "2026-01-31T12:00:00.123456Z")
    }
}
