// Part of Rollcall. SPDX-License-Identifier: Apache-2.0

import Foundation
import GRDB
package import Logging
package import TraceStore

#if canImport(Glibc)
import Glibc
#endif

/// A trace store in one SQLite file.
///
/// Write-ahead log, every commit synced to the disk, one writer; reads run at the same time on connections of their
/// own. A file beside it keeps a second gateway away.
package final class SQLiteTraceStore: TraceStore {
    let path: String
    let hashSeed: Int64
    private let lock: StoreLock
    private let file: StoreFile

    /// Opens the file, or makes it. Throws `unusable` with a sentence when another gateway has it, when its schema is
    /// newer than this program, or when it cannot be opened at all.
    ///
    /// - Parameters:
    ///   - limits: for a gateway's store; whoever only looks at one needs none.
    ///   - logger: is told when the disk fails in a way that no call has to wait for.
    ///   - now: Microseconds since 1970.
    package init(
        path: String, limits: StoreLimits = StoreLimits(),
        logger: Logger = Logger(label: "rollcall.store") { _ in SwiftLogNoOpLogHandler() },
        now: @escaping @Sendable () -> Int64 = SQLiteTraceStore.now
    ) throws(StoreError) {
        let path = URL(fileURLWithPath: path).resolvingSymlinksInPath().path
        lock = try StoreLock(besides: path)
        self.path = path
        do {
            file = try StoreFile(path: path, limits: limits, logger: logger, now: now)
            hashSeed = file.hashSeed
        } catch {
            let reason = StoreError(error, path: path)
            throw reason.reason == .refused ? reason : StoreError(.unusable, reason.description)
        }
    }

    /// The wall clock in microseconds since 1970.
    package static let now: @Sendable () -> Int64 = { WallClock.now() }

    // MARK: Writing

    package func apply(_ batch: [StoreRecord]) throws(StoreError) -> CommittedBatch {
        do {
            return try file.commit(batch)
        } catch {
            throw StoreError(error, path: path)
        }
    }

    /// Writes and deletes again as much as several records need.
    package func probe() throws(StoreError) {
        do {
            try file.pool.writeWithoutTransaction { db in
                try db.inTransaction(.immediate) {
                    try db.execute(sql: "INSERT INTO probe(bytes) VALUES (zeroblob(65536))")
                    return .commit
                }
                try db.inTransaction(.immediate) {
                    try db.execute(sql: "DELETE FROM probe")
                    return .commit
                }
            }
        } catch {
            throw StoreError(error, path: path)
        }
    }

    package var sizes: StoreSizes {
        func size(_ path: String) -> Int {
            var status = stat()
            return stat(path, &status) == 0 ? Int(status.st_size) : 0
        }
        return StoreSizes(database: size(path), log: size(path + "-wal"))
    }

    package func rest() { file.rest() }

    package func close() throws(StoreError) {
        do {
            try file.close()
            lock.release()
        } catch {
            throw StoreError(error, path: path)
        }
    }

    /// Lets the file grow to so many pages of 4 kB and no further; `nil`: as far as the disk goes.
    package func limitSize(toPages pages: Int?) throws(StoreError) {
        do {
            try file.pool.writeWithoutTransaction { db in
                try db.execute(sql: "PRAGMA max_page_count = \(pages ?? 4_294_967_294)")
            }
        } catch {
            throw StoreError(error, path: path)
        }
    }

    /// The value of a setting of the writing connection.
    package func setting(_ name: String) throws(StoreError) -> Int? {
        do {
            return try file.pool.writeWithoutTransaction { try Int.fetchOne($0, sql: "PRAGMA \(name)") }
        } catch {
            throw StoreError(error, path: path)
        }
    }

    // MARK: Reading

    /// A short read on one of the pool's own queues.
    func reading<T: Sendable>(_ body: @escaping @Sendable (Database) throws -> T) async throws -> T {
        do {
            return try await file.pool.read(body)
        } catch let error as CancellationError {
            throw error
        } catch {
            throw StoreError(error, path: path)
        }
    }
}
