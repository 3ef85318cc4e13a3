// Part of Rollcall. SPDX-License-Identifier: Apache-2.0

import EvalProtocol
import Foundation
package import WireJSON

/// What a rollout's command is known by, and what it leaves behind when its environment is killed.
package struct JournaledCommand: Sendable, Hashable {
    /// The value of ``ProcessVariables/marker``, which the command and all that it starts have, and nothing else.
    package var marker: String
    /// Its folder for temporary files.
    package var folder: String
    /// The command's own process, once that was started.
    package var process: JournaledProcess?

    package init(marker: String, folder: String, process: JournaledProcess? = nil) {
        self.marker = marker
        self.folder = folder
        self.process = process
    }
}

/// A process, so described that no other can be taken for it.
package struct JournaledProcess: Sendable, Hashable {
    /// Which start of the machine this is; start times of processes count from there.
    package static let currentBoot =
        (try? String(contentsOfFile: "/proc/sys/kernel/random/boot_id", encoding: .utf8))?
        .trimmingCharacters(in: .whitespacesAndNewlines) ?? ""

    package var identifier: Int32
    /// In clock ticks since the machine's start, as `/proc/PID/stat` has it.
    package var started: UInt64
    /// Which start of the machine that was.
    package var boot: String

    package init(identifier: Int32, started: UInt64, boot: String) {
        self.identifier = identifier
        self.started = started
        self.boot = boot
    }

    /// The process of this number; `nil` when there is none.
    package static func living(_ identifier: Int32) -> JournaledProcess? {
        guard let entry = ProcessTable.entry(of: identifier) else { return nil }
        return JournaledProcess(identifier: identifier, started: entry.started, boot: currentBoot)
    }

    /// Whether `entry` is this process.
    func isSame(as entry: ProcessEntry) -> Bool {
        identifier == entry.identifier && started == entry.started && boot == Self.currentBoot
    }
}

extension JournaledCommand: JSONConvertible {
    package init(from reader: JSONReader) throws(JSONDecodingError) {
        self.init(
            marker: try reader["marker"].nonEmptyString(), folder: try reader["folder"].string(),
            process: try reader["process"].present?.decode())
    }

    package var json: JSONValue {
        var object: JSONObject = ["marker": .string(marker), "folder": .string(folder)]
        if let process { object.append("process", process.json) }
        return .object(object)
    }
}

extension JournaledProcess: JSONConvertible {
    package init(from reader: JSONReader) throws(JSONDecodingError) {
        guard let identifier = Int32(exactly: try reader["pid"].int()), identifier > 1,
            let started = UInt64(exactly: try reader["started"].int())
        else { throw reader.error(expected: "a process") }
        self.init(identifier: identifier, started: started, boot: try reader["boot"].string())
    }

    package var json: JSONValue {
        ["pid": .number(identifier), "started": .number(started), "boot": .string(boot)]
    }
}
