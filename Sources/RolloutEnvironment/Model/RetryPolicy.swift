// Part of Rollcall. SPDX-License-Identifier: Apache-2.0

/// When a model call is repeated, and how long to wait before.
struct RetryPolicy: Sendable {
    var maximumRetries: Int
    /// Waits longer than this that a server asks for are not honoured: the call fails instead.
    var longestWait: Duration = .seconds(60)

    /// Whether an answer may be repeated, by its status and by what the server says about that itself.
    static func isTransient(httpStatus: Int, shouldRetry: String?) -> Bool {
        switch shouldRetry {
        case "true": true
        case "false": false
        default: httpStatus == 408 || httpStatus == 409 || httpStatus == 429 || httpStatus >= 500
        }
    }

    /// The wait before repeat number `retry` (0 the first); `nil`: let the error through.
    func wait(after error: ModelError, retry: Int, random: Double = .random(in: 0..<1)) -> Duration? {
        guard error.isTransient, retry < maximumRetries else { return nil }
        if let asked = error.retryAfter { return asked <= longestWait ? max(asked, .zero) : nil }
        let backoff = min(0.5 * Double(1 << min(retry, 10)), 8)
        return .seconds(backoff * (1 - 0.25 * random))
    }

    /// `Retry-After` in seconds, or `retry-after-ms`.
    static func retryAfter(milliseconds: String?, seconds: String?) -> Duration? {
        if let value = milliseconds.flatMap(Double.init), value.isFinite, (0..<1e9).contains(value) {
            return .seconds(value / 1_000)
        }
        if let value = seconds.flatMap(Double.init), value.isFinite, (0..<1e6).contains(value) {
            return .seconds(value)
        }
        return nil
    }
}
