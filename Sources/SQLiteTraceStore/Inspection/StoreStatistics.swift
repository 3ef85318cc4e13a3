// Part of Rollcall. SPDX-License-Identifier: Apache-2.0

/// How much is in a store, and how large it is.
package struct StoreStatistics: Sendable, Hashable {
    package var path: String
    /// The database file, and of it what is free for new records.
    package var databaseBytes: Int
    package var freeBytes: Int
    /// The write-ahead log beside it.
    package var logBytes: Int
    package var accounts: Int
    package var rollouts: Int
    package var attempts: Int
    package var recordedCalls: Int
    package var failedCalls: Int
    package var cutCalls: Int
    package var lines: Int
    package var events: Int
    /// Of the first and the last call or line, in microseconds since 1970; `nil` in an empty store.
    package var firstAt: Int64?
    package var lastAt: Int64?
}
