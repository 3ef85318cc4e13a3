// Part of Rollcall. SPDX-License-Identifier: Apache-2.0

import Foundation
import NIOPosix

/// The commands that an environment left behind when it was killed.
package struct LeftCommands: Sendable {
    private let commands: [JournaledCommand]
    private let markers: Set<String>

    package init(_ commands: [JournaledCommand]) {
        self.commands = commands
        markers = Set(commands.map(\.marker))
    }

    /// Ends their processes and all that those started, by SIGTERM, and by SIGKILL what lives 300 ms later; then removes
    /// their folders.
    ///
    /// - Returns: Processes that not even SIGKILL has ended within five seconds: the system holds them.
    package func end() async -> [Int32] {
        guard !commands.isEmpty else { return [] }
        let patience = ContinuousClock.now + .milliseconds(300)
        let despair = patience + .seconds(5)
        var asked: Set<Int32> = []
        var living = await living()
        while !living.isEmpty, .now < despair {
            for identifier in living {
                if .now >= patience {
                    kill(identifier, SIGKILL)
                } else if asked.insert(identifier).inserted {
                    kill(identifier, SIGTERM)
                    // One that is stopped would not see it.
                    kill(identifier, SIGCONT)
                }
            }
            try? await Task.sleep(for: .milliseconds(10))
            living = await self.living()
        }
        try? await NIOThreadPool.singleton.runIfActive {
            for command in commands { try? RolloutFolder(leftAt: command.folder)?.remove() }
        }
        return living
    }

    /// Those that live: the commands' own processes, those with a marker of theirs, and the descendants of either.
    private func living() async -> [Int32] {
        let entries = await ProcessTable.shared.entries(from: 0, olderToo: true)
        let own = entries.filter { entry in
            entry.marker.map(markers.contains) == true || commands.contains { $0.process?.isSame(as: entry) == true }
        }
        return entries.living(descendedFrom: Set(own.map(\.identifier)), self: getpid()).map(\.identifier)
    }
}
