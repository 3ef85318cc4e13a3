// Part of Rollcall. SPDX-License-Identifier: Apache-2.0

import Foundation

/// Everything that commands of rollouts have started, themselves included.
package struct ProcessFamily: Sendable {
    private enum Roots: Sendable {
        /// The command that this process runs.
        case command(leader: Int32, marker: String, began: ContinuousClock.Instant)
        /// What a process before this one has left behind.
        case left([JournaledCommand])
    }

    private let roots: Roots

    /// Of the command that is, or was, the process `leader`, and whose variables have the marker.
    init(leader: Int32, marker: String) {
        roots = .command(leader: leader, marker: marker, began: .now)
    }

    /// Of the commands that an environment left behind when it was killed.
    package init(left commands: [JournaledCommand]) { roots = .left(commands) }

    /// Those that live.
    private func members() async -> [ProcessEntry] {
        switch roots {
        case .command(let leader, let marker, let began):
            // In a long time identifiers may come round so far that it cannot be seen.
            let least = ContinuousClock.now - began < .seconds(10) ? leader : 0
            return await ProcessTable.shared.entries(from: least).family(of: leader, marker: marker, self: getpid())
        case .left(let commands):
            if commands.isEmpty { return [] }
            return await ProcessTable.shared.entries(includingOlder: true).family(of: commands, self: getpid())
        }
    }

    /// Asks all to end with SIGTERM, and ends with SIGKILL what lives after `grace`. Returns when none is left.
    ///
    /// - Returns: Those that not even SIGKILL has ended within `limit`: the system holds them.
    @discardableResult
    package func end(grace: Duration, limit: Duration = .seconds(5)) async -> [Int32] {
        var known: Set<ProcessEntry> = []
        var pause = Duration.milliseconds(2)
        var living = await members()
        let patience = ContinuousClock.now + grace
        while !living.isEmpty, .now < patience {
            for entry in living where known.insert(entry.identity).inserted {
                kill(entry.identifier, SIGTERM)
                // One that is stopped would not see it.
                kill(entry.identifier, SIGCONT)
            }
            try? await Task.sleep(for: min(pause, patience - .now))
            pause = min(pause * 2, .milliseconds(100))
            living = await members()
        }
        let end = ContinuousClock.now + limit
        pause = .milliseconds(2)
        while !living.isEmpty, .now < end {
            for entry in living {
                known.insert(entry.identity)
                kill(entry.identifier, SIGKILL)
            }
            try? await Task.sleep(for: pause)
            pause = min(pause * 2, .milliseconds(100))
            living = await members()
        }
        reap(known)
        return living.map(\.identifier)
    }

    /// Waits for those that have become children of this process, as orphans do when it is the first of a container.
    private func reap(_ known: Set<ProcessEntry>) {
        for entry in known {
            // The command itself is waited for by whoever has started it.
            if case .command(leader: entry.identifier, marker: _, began: _) = roots { continue }
            guard let now = ProcessTable.entry(of: entry.identifier), now.started == entry.started, now.isZombie,
                now.parent == getpid()
            else { continue }
            waitpid(entry.identifier, nil, WNOHANG)
        }
    }
}

extension ProcessEntry {
    /// What of it stays the same for as long as it lives.
    fileprivate var identity: ProcessEntry {
        ProcessEntry(identifier: identifier, parent: 0, session: 0, started: started)
    }
}
