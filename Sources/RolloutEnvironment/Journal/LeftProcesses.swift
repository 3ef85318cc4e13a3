// Part of Rollcall. SPDX-License-Identifier: Apache-2.0

import Foundation
import NIOPosix

/// The processes that an environment left behind when it was killed.
package struct LeftProcesses: Sendable {
    private struct Entry {
        var identifier: Int32
        var parent: Int32
        var isMarked: Bool
    }

    private let processes: [JournaledProcess]

    package init(_ processes: [JournaledProcess]) { self.processes = processes }

    /// Ends them and all that they started: SIGTERM, and SIGKILL for what lives 300 ms later.
    package func end() async {
        guard !processes.isEmpty else { return }
        let patience = ContinuousClock.now + .milliseconds(300)
        let despair = patience + .milliseconds(300)
        var asked: Set<Int32> = []
        while .now < despair {
            let living = (try? await NIOThreadPool.singleton.runIfActive { self.living() }) ?? []
            if living.isEmpty { return }
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
        }
    }

    /// Those that live: the remembered ones, those with a marker, and the descendants of either.
    private func living() -> [Int32] {
        let entries = (try? FileManager.default.contentsOfDirectory(atPath: "/proc"))?.compactMap(entry) ?? []
        var children: [Int32: [Int32]] = [:]
        for entry in entries { children[entry.parent, default: []].append(entry.identifier) }
        var found = Set(entries.filter(\.isMarked).map(\.identifier))
        var unvisited = Array(found)
        while let identifier = unvisited.popLast() {
            for child in children[identifier] ?? [] where found.insert(child).inserted { unvisited.append(child) }
        }
        found.remove(getpid())
        return Array(found)
    }

    private func entry(_ name: String) -> Entry? {
        guard let identifier = Int32(name), let stat = FileManager.default.contents(atPath: "/proc/\(name)/stat"),
            // The name in parentheses may hold anything.
            let close = stat.lastIndex(of: UInt8(ascii: ")"))
        else { return nil }
        let fields = stat[(close + 1)...].split(separator: UInt8(ascii: " ")).map {
            String(decoding: $0, as: UTF8.self)
        }
        // The state is the third field, the parent the fourth, the start the twenty-second; the dead are of no interest.
        guard fields.count > 19, fields[0] != "Z", fields[0] != "X", let parent = Int32(fields[1]),
            let started = UInt64(fields[19])
        else { return nil }
        let isRemembered = processes.contains {
            $0.identifier == identifier && $0.started == started && $0.boot == RolloutJournal.boot
        }
        return Entry(identifier: identifier, parent: parent, isMarked: isRemembered || hasMarker(name))
    }

    private func hasMarker(_ name: String) -> Bool {
        guard let environ = FileManager.default.contents(atPath: "/proc/\(name)/environ") else { return false }
        let variables = Set(environ.split(separator: 0).map { String(decoding: $0, as: UTF8.self) })
        return processes.contains { variables.contains("\($0.variable)=\($0.marker)") }
    }
}
