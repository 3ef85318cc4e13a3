// Part of Rollcall. SPDX-License-Identifier: Apache-2.0

import Foundation

/// The journal of one rollout, for whoever starts processes for it.
package struct RolloutJournal: Sendable {
    /// Which start of the machine this is; start times of processes count from there.
    package static let boot =
        (try? String(contentsOfFile: "/proc/sys/kernel/random/boot_id", encoding: .utf8))?
        .trimmingCharacters(in: .whitespacesAndNewlines) ?? ""

    package let journal: Journal
    let key: RolloutRegistry.Key

    /// Remembers a process, so that the next environment can end it should this one be killed. Returns when that is
    /// written.
    ///
    /// - Parameters:
    ///   - started: In clock ticks since the machine's start: field 22 of `/proc/PID/stat`.
    ///   - marker: The value of ``ProcessVariables/marker`` among its variables, which no other process has.
    package func processStarted(_ identifier: Int32, started: UInt64, marker: String) async {
        await journal.add(
            .processStarted(
                key, JournaledProcess(identifier: identifier, started: started, boot: Self.boot, marker: marker)))
    }

    /// The process and all that it started are gone.
    package func processEnded(_ identifier: Int32) { journal.append(.processEnded(key, identifier)) }
}
