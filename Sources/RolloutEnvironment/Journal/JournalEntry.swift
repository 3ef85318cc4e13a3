// Part of Rollcall. SPDX-License-Identifier: Apache-2.0

package import EvalProtocol
package import WireJSON

/// One line of the journal.
package enum JournalEntry: Sendable, Hashable {
    package typealias Key = RolloutRegistry.Key

    case accepted(JournalRecord)
    case processStarted(Key, JournaledProcess)
    case processEnded(Key, Int32)
    /// The terminal status is on its way to the gateway.
    case ended(Key, Status)
    /// The gateway has the terminal status.
    case delivered(Key)
    /// Nothing is to be reported of it.
    case forgotten(Key)
}

extension JournalEntry {
    /// The line with its end: a checksum, and the entry as JSON, which has no line feeds.
    package var line: [UInt8] {
        let text = json.serialized()
        return Array(Self.checksum(text).utf8) + [UInt8(ascii: " ")] + text + [UInt8(ascii: "\n")]
    }

    /// Reads a line without its end; `nil` for one that was not written whole.
    package init?(line: some Collection<UInt8>) {
        let bytes = Array(line)
        guard bytes.count > 17, bytes[16] == UInt8(ascii: " ") else { return nil }
        let text = Array(bytes[17...])
        guard bytes[..<16].elementsEqual(Self.checksum(text).utf8), let json = try? JSONValue(parsing: text),
            let entry = try? JournalEntry(from: JSONReader(json))
        else { return nil }
        self = entry
    }

    /// FNV-1a over 64 bits: it has to find lines that were cut or overwritten, not forgers.
    private static func checksum(_ bytes: [UInt8]) -> String {
        let hash = bytes.reduce(UInt64(0xCBF2_9CE4_8422_2325)) { ($0 ^ UInt64($1)) &* 0x100_0000_01B3 }
        let digits = String(hash, radix: 16)
        return String(repeating: "0", count: 16 - digits.count) + digits
    }
}

extension JournalEntry: JSONConvertible {
    package init(from reader: JSONReader) throws(JSONDecodingError) {
        let kind = try reader["kind"].string()
        if kind == "accepted" {
            self = .accepted(try reader["rollout"].decode())
            return
        }
        let key = Key(rolloutID: try reader["rollout_id"].string(), attempt: try reader["attempt"].decode())
        switch kind {
        case "process_started": self = .processStarted(key, try reader["process"].decode())
        case "process_ended": self = .processEnded(key, Int32(clamping: try reader["pid"].int()))
        case "ended": self = .ended(key, try Self.end(from: reader["end"]))
        case "delivered": self = .delivered(key)
        case "forgotten": self = .forgotten(key)
        default: throw reader["kind"].error(expected: "a kind of entry")
        }
    }

    package var json: JSONValue {
        switch self {
        case .accepted(let record): ["kind": "accepted", "rollout": record.json]
        case .processStarted(let key, let process): Self.json("process_started", key, ("process", process.json))
        case .processEnded(let key, let identifier): Self.json("process_ended", key, ("pid", .number(identifier)))
        case .ended(let key, let status): Self.json("ended", key, ("end", status.journaled))
        case .delivered(let key): Self.json("delivered", key)
        case .forgotten(let key): Self.json("forgotten", key)
        }
    }

    private static func json(_ kind: String, _ key: Key, _ member: (String, JSONValue)? = nil) -> JSONValue {
        var object: JSONObject = [
            "kind": .string(kind), "rollout_id": .string(key.rolloutID), "attempt": key.attempt.json,
        ]
        if let member { object.append(member.0, member.1) }
        return .object(object)
    }
}
