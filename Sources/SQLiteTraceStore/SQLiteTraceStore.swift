// Part of Rollcall. SPDX-License-Identifier: Apache-2.0

import Foundation
import GRDB
import Synchronization
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
    let pool: DatabasePool
    let hashSeed: Int64
    private let checkpointer: Checkpointer
    private let lock: StoreLock
    /// Used by the one thread that writes; the mutex is never waited for.
    private let writer: Mutex<BatchWriter>

    /// Opens the file, or makes it. Throws `unusable` with a sentence when another gateway has it, when its schema is
    /// newer than this program, or when it cannot be opened at all.
    ///
    /// - Parameter now: Microseconds since 1970.
    package init(path: String, now: @escaping @Sendable () -> Int64 = SQLiteTraceStore.now) throws(StoreError) {
        let path = URL(fileURLWithPath: path).resolvingSymlinksInPath().path
        lock = try StoreLock(besides: path)
        self.path = path
        do {
            pool = try DatabasePool(path: path, configuration: Self.configuration)
            let writer = try pool.writeWithoutTransaction { db in
                try Self.makeDurable(db, path: path)
                try Schema.prepare(db, path: path)
                return try BatchWriter(db, now: now)
            }
            hashSeed = writer.hashSeed
            self.writer = Mutex(writer)
            checkpointer = try Checkpointer(path: path)
        } catch {
            let reason = StoreError(error, path: path)
            throw reason.reason == .refused ? reason : StoreError(.unusable, reason.description)
        }
    }

    /// The wall clock in microseconds since 1970.
    package static let now: @Sendable () -> Int64 = {
        var time = timespec()
        clock_gettime(CLOCK_REALTIME, &time)
        return Int64(time.tv_sec) * 1_000_000 + Int64(time.tv_nsec) / 1_000
    }

    private static var configuration: Configuration {
        var configuration = Configuration()
        configuration.label = "rollcall.store"
        configuration.busyMode = .timeout(5)
        configuration.foreignKeysEnabled = false
        configuration.maximumReaderCount = 4
        configuration.prepareDatabase { db in
            // Larger pages take fewer of them for a call's bodies. Only the file's first connection decides.
            if !db.configuration.readonly { try db.execute(sql: "PRAGMA page_size = 8192") }
            try db.execute(sql: "PRAGMA cache_size = -16000; PRAGMA temp_store = MEMORY")
        }
        return configuration
    }

    /// Opening a pool sets `synchronous` to NORMAL, with which a power failure could take acknowledged commits back.
    private static func makeDurable(_ db: Database, path: String) throws {
        // A log that has grown beyond the usual is cut to it when it begins anew.
        try db.execute(
            sql: "PRAGMA synchronous = FULL; PRAGMA wal_autocheckpoint = 0; PRAGMA journal_size_limit = \(128 << 20)")
        guard try Int.fetchOne(db, sql: "PRAGMA synchronous") == 2 else {
            throw StoreError(.unusable, "\(path): SQLite does not sync its commits to the disk; use another SQLite")
        }
    }

    // MARK: Writing

    package func apply(_ batch: [StoreRecord]) throws(StoreError) -> CommittedBatch {
        do {
            return try writer.withLock { writer in
                try pool.writeWithoutTransaction { db in
                    let committed = try writer.commit(batch, db)
                    checkpointer.committed(batch.reduce(0) { $0 + $1.byteCount }, db)
                    return committed
                }
            }
        } catch {
            throw StoreError(error, path: path)
        }
    }

    /// Writes and deletes again as much as several records need.
    package func probe() throws(StoreError) {
        do {
            try pool.writeWithoutTransaction { db in
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

    package func rest() {
        pool.writeWithoutTransaction { checkpointer.restart($0) }
    }

    package func close() throws(StoreError) {
        do {
            rest()
            try checkpointer.close()
            try pool.close()
            lock.release()
        } catch {
            throw StoreError(error, path: path)
        }
    }

    /// Lets the file grow to so many pages of 8 kB and no further; `nil`: as far as the disk goes.
    package func limitSize(toPages pages: Int?) throws(StoreError) {
        do {
            try pool.writeWithoutTransaction { db in
                try db.execute(sql: "PRAGMA max_page_count = \(pages ?? 4_294_967_294)")
            }
        } catch {
            throw StoreError(error, path: path)
        }
    }

    /// The value of a setting of the writing connection.
    package func setting(_ name: String) throws(StoreError) -> Int? {
        do {
            return try pool.writeWithoutTransaction { try Int.fetchOne($0, sql: "PRAGMA \(name)") }
        } catch {
            throw StoreError(error, path: path)
        }
    }

    // MARK: Reading

    /// A short read on one of the pool's own queues.
    func reading<T: Sendable>(_ body: @escaping @Sendable (Database) throws -> T) async throws -> T {
        do {
            return try await pool.read(body)
        } catch let error as CancellationError {
            throw error
        } catch {
            throw StoreError(error, path: path)
        }
    }
}
