// Part of Rollcall. SPDX-License-Identifier: Apache-2.0

/// How long rollouts are kept after the last that came of them: `30d`, `12h`, `90m` or `45s`.
struct RetentionPeriod {
    static let expected = "a time such as 30d, 12h, 90m or 45s"

    let seconds: Int

    init?(_ text: String) {
        guard let unit = text.last, let size = ["d": 86_400, "h": 3600, "m": 60, "s": 1][unit],
            let count = Int(text.dropLast()), (1...10_000_000).contains(count), text.first != "+"
        else { return nil }
        seconds = count * size
    }

    var duration: Duration { .seconds(seconds) }
}
