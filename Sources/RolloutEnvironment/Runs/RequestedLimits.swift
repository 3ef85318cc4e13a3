// Part of Rollcall. SPDX-License-Identifier: Apache-2.0

package import EvalProtocol
package import WireJSON

/// The bounds that a caller sets in the metadata of `/init`.
package struct RequestedLimits: Sendable, Hashable {
    /// The longest that `deadline_seconds` may be: that of a gateway.
    package static let maximumDeadlineSeconds = 30 * 86_400.0

    /// From `/init` to the end, time in the queue included.
    package var deadline: Duration?
    /// What the rollout may use of its model.
    package var budget: Budget

    package init(_ metadata: RolloutMetadata) throws(JSONDecodingError) {
        let reader = JSONReader(.object(metadata.additional), path: .root.key("metadata"))
        budget = try reader["budget"].present?.decode() ?? Budget()
        deadline = try reader["deadline_seconds"].present?.duration(upTo: Self.maximumDeadlineSeconds)
    }
}

extension JSONReader {
    /// A duration that is written in seconds.
    fileprivate func duration(upTo maximum: Double) throws(JSONDecodingError) -> Duration {
        guard let seconds = value?.double, seconds >= 0.001, seconds <= maximum else {
            throw error(expected: "a number of seconds from 0.001 to \(Int(maximum))")
        }
        return .microseconds(Int64(seconds * 1_000_000))
    }
}
