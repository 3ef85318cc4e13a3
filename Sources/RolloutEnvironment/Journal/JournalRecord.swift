// Part of Rollcall. SPDX-License-Identifier: Apache-2.0

package import EvalProtocol
import RolloutTracing
package import WireJSON

/// What the journal knows of an accepted rollout: enough to report its end, and to end what it has started.
package struct JournalRecord: Sendable, Hashable {
    /// Whose key the gateway was shown. Keys themselves are not written down.
    package enum GatewayKey: String, Sendable, Hashable { case none, own, caller }

    /// The ids alone, with the attempt.
    package let metadata: RolloutMetadata
    package let attempt: AttemptID
    package let gatewayURL: String
    package let gatewayKey: GatewayKey
    /// In seconds since 1970.
    package let acceptedAt: Int
    /// Those of its processes whose end is not known.
    package var processes: [JournaledProcess] = []
    /// The terminal status, when it has one that the gateway may not have yet.
    package var end: Status?

    package init(
        metadata: RolloutMetadata, attempt: AttemptID, gatewayURL: String, gatewayKey: GatewayKey, acceptedAt: Int
    ) {
        var ids = metadata
        ids.additional = [:]
        ids.attempt = attempt
        self.metadata = ids
        self.attempt = attempt
        self.gatewayURL = gatewayURL
        self.gatewayKey = gatewayKey
        self.acceptedAt = acceptedAt
    }

    package var key: RolloutRegistry.Key {
        RolloutRegistry.Key(rolloutID: metadata.rolloutID, attempt: attempt)
    }
}

extension JournalRecord: JSONConvertible {
    package init(from reader: JSONReader) throws(JSONDecodingError) {
        let metadata: RolloutMetadata = try reader["metadata"].decode()
        guard let attempt = metadata.attempt else { throw reader["metadata"]["attempt"].error(expected: "an attempt") }
        guard let key = GatewayKey(rawValue: try reader["gateway_key"].string()) else {
            throw reader["gateway_key"].error(expected: "none, own or caller")
        }
        self.init(
            metadata: metadata, attempt: attempt, gatewayURL: try reader["gateway"].string(), gatewayKey: key,
            acceptedAt: try reader["accepted_at"].int())
        processes = try reader["processes"].present?.decodeElements() ?? []
        end = try reader["end"].present.map(Status.init(journaled:))
    }

    package var json: JSONValue {
        var object: JSONObject = [
            "metadata": metadata.json, "gateway": .string(gatewayURL), "gateway_key": .string(gatewayKey.rawValue),
            "accepted_at": .number(acceptedAt),
        ]
        if !processes.isEmpty { object.append("processes", .array(processes.map(\.json))) }
        if let end { object.append("end", end.journaled) }
        return .object(object)
    }
}

/// A process that a rollout has started, so described that no other can be taken for it.
package struct JournaledProcess: Sendable, Hashable {
    package var identifier: Int32
    /// In clock ticks since the machine's start, as `/proc/PID/stat` has it.
    package var started: UInt64
    /// Which start of the machine that was.
    package var boot: String
    /// What it and all it starts have in their variables, and nothing else has.
    package var marker: String

    package init(identifier: Int32, started: UInt64, boot: String, marker: String) {
        self.identifier = identifier
        self.started = started
        self.boot = boot
        self.marker = marker
    }
}

extension JournaledProcess: JSONConvertible {
    package init(from reader: JSONReader) throws(JSONDecodingError) {
        guard let identifier = Int32(exactly: try reader["pid"].int()), identifier > 1,
            let started = UInt64(exactly: try reader["started"].int())
        else { throw reader.error(expected: "a process") }
        self.init(
            identifier: identifier, started: started, boot: try reader["boot"].string(),
            marker: try reader["marker"].nonEmptyString())
    }

    package var json: JSONValue {
        [
            "pid": .number(identifier), "started": .number(started), "boot": .string(boot),
            "marker": .string(marker),
        ]
    }
}

extension Status {
    /// More than this of a status is not kept: then its details and extras are left out.
    private static let journaledBytes = 64 << 10

    fileprivate init(journaled reader: JSONReader) throws(JSONDecodingError) {
        try self.init(from: reader["status"])
        extras = try reader["extras"].present?.object() ?? [:]
        lineMessage = try reader["line_message"].present?.string()
    }

    /// With what goes along with it.
    var journaled: JSONValue {
        let whole: JSONValue = [
            "status": json, "extras": .object(extras), "line_message": lineMessage.map { .string($0) } ?? .null,
        ]
        if whole.serialized().count <= Self.journaledBytes { return whole }
        return ["status": Status(code: code, message: String(message.prefix(2_000))).json]
    }
}

extension JournalEntry {
    static func end(from reader: JSONReader) throws(JSONDecodingError) -> Status { try Status(journaled: reader) }
}
