// Part of Rollcall. SPDX-License-Identifier: Apache-2.0

/// The journal of one rollout, for whoever runs commands for it.
package struct RolloutJournal: Sendable {
    package let journal: Journal
    let key: RolloutRegistry.Key

    /// Remembers what a command will be known by, so that the next environment can end it and put its folder away
    /// should this one be killed. Returns when that is written: before it nothing may be started or made.
    package func commandStarting(_ command: JournaledCommand) async {
        await journal.add(.commandStarting(key, command))
    }

    /// Remembers the command's process, which is to be ended even if it has emptied its environment.
    package func commandStarted(marker: String, process: JournaledProcess?) {
        if let process { journal.append(.commandStarted(key, marker: marker, process)) }
    }

    /// The command, all that it has started and its folder are gone.
    package func commandEnded(marker: String) { journal.append(.commandEnded(key, marker: marker)) }
}
