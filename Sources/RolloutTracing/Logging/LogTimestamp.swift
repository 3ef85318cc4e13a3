// Part of Rollcall. SPDX-License-Identifier: Apache-2.0

import Foundation

/// The time of a line as the contract writes it: `2026-01-31T12:00:00.123456Z`.
package enum LogTimestamp {
    package static func now() -> String {
        text(microseconds: Int64((Date().timeIntervalSince1970 * 1e6).rounded(.down)))
    }

    /// - Parameter microseconds: Since 1970, UTC.
    package static func text(microseconds: Int64) -> String {
        let (seconds, fraction) = microseconds.quotientAndRemainderRoundingDown(dividingBy: 1_000_000)
        let (days, time) = seconds.quotientAndRemainderRoundingDown(dividingBy: 86_400)
        let (year, month, day) = civil(days: days)
        func padded(_ value: Int64, _ width: Int) -> String {
            let digits = String(value)
            return String(repeating: "0", count: max(0, width - digits.count)) + digits
        }
        return "\(padded(year, 4))-\(padded(month, 2))-\(padded(day, 2))T\(padded(time / 3_600, 2)):"
            + "\(padded(time / 60 % 60, 2)):\(padded(time % 60, 2)).\(padded(fraction, 6))Z"
    }

    /// The Gregorian date of a day counted from 1970-01-01, by years that begin in March, so that the leap day is last.
    private static func civil(days: Int64) -> (year: Int64, month: Int64, day: Int64) {
        let (era, dayOfEra) = (days + 719_468).quotientAndRemainderRoundingDown(dividingBy: 146_097)
        let yearOfEra = (dayOfEra - dayOfEra / 1_460 + dayOfEra / 36_524 - dayOfEra / 146_096) / 365
        let dayOfYear = dayOfEra - (365 * yearOfEra + yearOfEra / 4 - yearOfEra / 100)
        let shiftedMonth = (5 * dayOfYear + 2) / 153
        let month = shiftedMonth < 10 ? shiftedMonth + 3 : shiftedMonth - 9
        return (yearOfEra + era * 400 + (month <= 2 ? 1 : 0), month, dayOfYear - (153 * shiftedMonth + 2) / 5 + 1)
    }
}

extension Int64 {
    fileprivate func quotientAndRemainderRoundingDown(dividingBy divisor: Int64) -> (Int64, Int64) {
        let (quotient, remainder) = quotientAndRemainder(dividingBy: divisor)
        return remainder < 0 ? (quotient - 1, remainder + divisor) : (quotient, remainder)
    }
}
