// Part of Rollcall. SPDX-License-Identifier: Apache-2.0

import TraceStore
import WireJSON

/// What a subscription tells, as the text of a server-sent event.
enum EventText {
    static let comment = Array(": still here\n\n".utf8)

    static func bytes(_ element: StatusSubscription.Element) -> [UInt8] {
        switch element {
        case .status(let event): text("status", id: event.sequence, data: data(event))
        case .reset: text("reset", id: nil, data: Array("{}".utf8))
        case .ready(let sequence): text("ready", id: sequence, data: Array("{}".utf8))
        }
    }

    /// The sequence behind an id that a client sends back. An id that is none of ours is one that no event has.
    static func sequence(ofID id: String) -> Int64 { Int64(id).flatMap { $0 >= 0 ? $0 : nil } ?? .max }

    private static func data(_ event: StatusEvent) -> [UInt8] {
        var writer = JSONWriter()
        writer.member("rollout_id", .string(event.rollout.rolloutID))
        writer.member("attempt", .optional(event.attempt))
        writer.member("status", raw: event.status.wire)
        writer.member("extras", raw: event.status.extras)
        return writer.finish()
    }

    /// The data is JSON without line ends, so one line holds it.
    private static func text(_ name: String, id: Int64?, data: [UInt8]) -> [UInt8] {
        var bytes = Array("event: \(name)\n".utf8)
        if let id { bytes.append(contentsOf: "id: \(id)\n".utf8) }
        bytes.append(contentsOf: "data: ".utf8)
        bytes.append(contentsOf: data)
        bytes.append(contentsOf: "\n\n".utf8)
        return bytes
    }
}
