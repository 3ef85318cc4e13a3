// Part of Rollcall. SPDX-License-Identifier: Apache-2.0

/// A condition that a test waited for in vain.
package struct NeverHappened: Error, CustomStringConvertible {
    package let description: String

    package init(description: String) { self.description = description }
}

/// Waits until `condition` holds, looking every few milliseconds.
///
/// - Throws: ``NeverHappened`` after `limit`.
package func eventually(
    _ what: String, within limit: Duration = .seconds(20), isolation: isolated (any Actor)? = #isolation,
    _ condition: () async throws -> Bool
) async throws {
    let deadline = ContinuousClock.now + limit
    while try await !condition() {
        guard ContinuousClock.now < deadline else {
            throw NeverHappened(description: "Within \(limit) there was no \(what).")
        }
        try await Task.sleep(for: .milliseconds(3))
    }
}
