// Part of Rollcall. SPDX-License-Identifier: Apache-2.0

import Foundation
import TestSupport

/// What rollouts may leave behind: processes, known by a variable that they all have, and what is in their folders.
struct FaultLeftovers: Sendable {
    /// A variable with its value.
    let mark: String
    let folders: [URL]

    /// What is left, in words.
    func found() throws -> [String] {
        let processes = try FileManager.default.contentsOfDirectory(atPath: "/proc").filter { name in
            guard Int32(name) != nil, let variables = FileManager.default.contents(atPath: "/proc/\(name)/environ")
            else { return false }
            return variables.split(separator: 0).contains { $0.elementsEqual(mark.utf8) }
        }
        let files = try folders.flatMap { try FileManager.default.contentsOfDirectory(atPath: $0.path) }
        return processes.map { "process \($0)" } + files.map { "file \($0)" }
    }

    /// What is still there after a moment.
    func lasting() async throws -> [String] {
        try? await eventually("nothing left", within: .seconds(3)) { try found().isEmpty }
        return try found()
    }
}
