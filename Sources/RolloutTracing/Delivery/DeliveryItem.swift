// Part of Rollcall. SPDX-License-Identifier: Apache-2.0

package import EvalProtocol
import WireJSON

/// A line on its way to a gateway.
package struct DeliveryItem: Sendable {
    /// Rises from line to line; the order of a rollout's lines.
    package let number: UInt64
    /// What the gateway knows the line by when it is sent twice.
    package let id: String
    package let rolloutID: String
    package let attempt: AttemptID?
    package let status: StatusCode?
    /// The line as JSON, an object.
    package private(set) var body: [UInt8]
    /// Whether ``body`` is what remains.
    package private(set) var isBare = false
    /// Whether the line has to be posted alone, to learn whether it or batches are at fault.
    package var goesAlone = false
    /// Whether nobody wants it sent (again), though it is on its way.
    package var isWithdrawn = false
    /// Who waits for the answer to this line.
    package var waiter: UInt64?

    package var isPlain: Bool { status == nil }

    package init(
        number: UInt64, id: String, rolloutID: String, line: LogLine, attempt: AttemptID?, waiter: UInt64? = nil
    ) {
        self.number = number
        self.id = id
        self.rolloutID = rolloutID
        self.attempt = attempt
        self.waiter = waiter
        status = line.status?.code
        var line = line
        if let attempt {
            var rollcall = line.extras["rollcall"]?.object ?? [:]
            rollcall["attempt"] = attempt.json
            line.extras["rollcall"] = .object(rollcall)
        }
        body = line.json.serialized()
    }

    /// Gives up all of the line but its tags, its status and its attempt; `false` when that has been done before,
    /// or there is no status.
    package mutating func strip() -> Bool {
        guard status != nil, !isBare, let line = try? LogLine(parsing: body), let status = line.status else {
            return false
        }
        body = Self.bare(status, of: line)
        isBare = true
        return true
    }

    /// The line as an element of a batch: its body with its id as the first member.
    package func appendBatchElement(to bytes: inout [UInt8]) {
        bytes.append(contentsOf: #"{"id":"\#(id)","#.utf8)
        bytes.append(contentsOf: body.dropFirst())
    }

    private static func bare(_ status: Status, of line: LogLine) -> [UInt8] {
        var status = status
        if status.json.serialized().count > longestBareStatus {
            status.message = String(status.message.prefix(longestBareStatus / 8))
            status.details = []
        }
        var object: JSONObject = ["tags": .array(line.tags.map { .string($0) }), "status": status.json]
        if let rollcall = line.extras["rollcall"] { object["extras"] = ["rollcall": rollcall] }
        return JSONValue.object(object).serialized()
    }

    private static let longestBareStatus = 16_384
}
