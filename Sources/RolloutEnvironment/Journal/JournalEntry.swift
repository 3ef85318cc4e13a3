// Part of Rollcall. SPDX-License-Identifier: Apache-2.0

package import EvalProtocol
package import WireJSON

/// One line of the journal.
package enum JournalEntry: Sendable, Hashable {
    package typealias Key = RolloutRegistry.Key

    case accepted(JournalRecord)
    /// The gateway has acknowledged RUNNING.
    case begun(Key)
    /// A command is about to be started.
    case commandStarting(Key, JournaledCommand)
    case commandStarted(Key, marker: String, JournaledProcess)
    /// The command, what it has started and its folder are gone.
    case commandEnded(Key, marker: String)
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
        case "begun": self = .begun(key)
        case "command_starting": self = .commandStarting(key, try reader["command"].decode())
        case "command_started":
            self = .commandStarted(
                key, marker: try reader["marker"].nonEmptyString(), try reader["process"].decode())
        case "command_ended": self = .commandEnded(key, marker: try reader["marker"].nonEmptyString())
        case "ended": self = .ended(key, try Self.end(from: reader["end"]))
        case "delivered": self = .delivered(key)
        case "forgotten": self = .forgotten(key)
        default: throw reader["kind"].error(expected: "a kind of entry")
        }
    }

    package var json: JSONValue {
        switch self {
        case .accepted(let record): ["kind": "accepted", "rollout": record.json]
        case .begun(let key): Self.json("begun", key)
        case .commandStarting(let key, let command): Self.json("command_starting", key, ["command": command.json])
        case .commandStarted(let key, let marker, let process):
            Self.json("command_started", key, ["marker": .string(marker), "process": process.json])
        case .commandEnded(let key, let marker): Self.json("command_ended", key, ["marker": .string(marker)])
        case .ended(let key, let status): Self.json("ended", key, ["end": status.journaled])
        case .delivered(let key): Self.json("delivered", key)
        case .forgotten(let key): Self.json("forgotten", key)
        }
    }

    private static func json(_ kind: String, _ key: Key, _ more: JSONObject = [:]) -> JSONValue {
        var object: JSONObject = [
            "kind": .string(kind), "rollout_id": .string(key.rolloutID), "attempt": key.attempt.json,
        ]
        for member in more.members { object.append(member.key.text, member.value) }
        return .object(object)
    }
}
