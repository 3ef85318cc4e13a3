// Part of Rollcall. SPDX-License-Identifier: Apache-2.0

package import Foundation

/// A folder of a test's own.
package func withScratch<Result>(
    isolation: isolated (any Actor)? = #isolation, _ body: (URL) async throws -> Result
) async throws -> Result {
    let folder = FileManager.default.temporaryDirectory.appending(path: "rollcall-\(UUID().uuidString)")
    try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
    defer { try? FileManager.default.removeItem(at: folder) }
    return try await body(folder)
}

/// Whether the long forms of the tests are asked for.
package let isSoak = ProcessInfo.processInfo.environment["ROLLCALL_SOAK"] != nil
