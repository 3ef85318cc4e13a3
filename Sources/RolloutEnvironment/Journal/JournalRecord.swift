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
    /// Whether the gateway has acknowledged RUNNING, so that it knows the attempt and the caller may have been told that
    /// the rollout is accepted.
    package var hasBegun = false
    /// Its commands, unless they are known to be gone.
    package var commands: [JournaledCommand] = []
    /// The terminal status, when it has one that the gateway may not have yet.
    package var end: Status?
    /// Whether nothing is to be reported of it any more: it is kept for its commands alone.
    package var isReported = false

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

    /// Whether a repeated `/init` of the attempt is answered with its end. One that had not begun is begun then: a gateway
    /// may never have heard of it, and an end that it is told of an attempt unknown to it does not count.
    package var hasReceipt: Bool { hasBegun && (end != nil || !isReported) }

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
        hasBegun = try reader["begun"].present?.bool() ?? false
        commands = try reader["commands"].present?.decodeElements() ?? []
        end = try reader["end"].present.map(Status.init(journaled:))
        isReported = try reader["reported"].present?.bool() ?? false
    }

    package var json: JSONValue {
        var object: JSONObject = [
            "metadata": metadata.json, "gateway": .string(gatewayURL), "gateway_key": .string(gatewayKey.rawValue),
            "accepted_at": .number(acceptedAt),
        ]
        if hasBegun { object.append("begun", true) }
        if !commands.isEmpty { object.append("commands", .array(commands.map(\.json))) }
        if let end { object.append("end", end.journaled) }
        if isReported { object.append("reported", true) }
        return .object(object)
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
