// Part of Rollcall. SPDX-License-Identifier: Apache-2.0

import Foundation
import TestSupport

/// Runs a command to its end.
func run(_ words: String...) async throws {
    let process = Process()
    process.executableURL = URL(fileURLWithPath: "/usr/bin/env")
    process.arguments = words
    try await withCheckedThrowingContinuation { (done: CheckedContinuation<Void, any Error>) in
        process.terminationHandler = { process in
            if process.terminationStatus == 0 {
                done.resume()
            } else {
                done.resume(throwing: NeverHappened(description: "\(words.joined(separator: " ")) has failed."))
            }
        }
        do { try process.run() } catch { done.resume(throwing: error) }
    }
}
