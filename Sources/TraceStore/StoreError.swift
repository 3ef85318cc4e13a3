// Part of Rollcall. SPDX-License-Identifier: Apache-2.0

/// Why the store could not do what was asked of it.
package struct StoreError: Error, Sendable, Hashable, CustomStringConvertible {
    package enum Reason: Sendable, Hashable {
        /// The record itself cannot be stored, whatever the store's state.
        case refused
        /// The disk is full or failing, or the database does not answer; may pass.
        case unavailable
        /// The file cannot be used at all: another gateway has it, or its schema is newer than this program.
        case unusable
    }

    package let reason: Reason
    /// What happened, where, and what to do.
    package let description: String

    package init(_ reason: Reason, _ description: String) {
        self.reason = reason
        self.description = description
    }
}
