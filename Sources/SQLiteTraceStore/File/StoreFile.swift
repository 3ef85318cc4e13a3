// Part of Rollcall. SPDX-License-Identifier: Apache-2.0

import GRDB
import Synchronization
import TraceStore

/// The database as it is open: the connections, the checkpointer beside them, and what the writer remembers.
///
/// Written by one thread.
final class StoreFile: Sendable {
    let path: String
    let pool: DatabasePool
    let hashSeed: Int64
    private let checkpointer: Checkpointer
    /// The mutex is never waited for.
    private let writer: Mutex<BatchWriter>

    /// Opens the file, or makes it, and moves into it what its log still holds.
    ///
    /// The log begins anew before anything is added to it: after a failed sync it may hold commits that are in memory
    /// only, and what came after such ones would be lost with them.
    init(path: String, now: @escaping @Sendable () -> Int64) throws {
        self.path = path
        pool = try DatabasePool(path: path, configuration: Self.configuration)
        checkpointer = try Checkpointer(path: path)
        let checkpointer = checkpointer
        let writer = try pool.writeWithoutTransaction { db in
            try Self.makeDurable(db, path: path)
            try Schema.prepare(db, path: path)
            try checkpointer.empty(db)
            return try BatchWriter(db, now: now)
        }
        hashSeed = writer.hashSeed
        self.writer = Mutex(writer)
    }

    private static var configuration: Configuration {
        var configuration = Configuration()
        configuration.label = "rollcall.store"
        configuration.busyMode = .timeout(5)
        configuration.foreignKeysEnabled = false
        configuration.maximumReaderCount = 4
        configuration.prepareDatabase { db in
            if db.configuration.readonly {
                db.keepLogOnClose()
            } else {
                // Larger pages take fewer of them for a call's bodies. Only the file's first connection decides.
                try db.execute(sql: "PRAGMA page_size = 8192")
            }
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
            throw StoreError(
                .unusable, "\(path): SQLite does not sync its commits to the disk; use another SQLite")
        }
    }

    // MARK: Writing

    func commit(_ batch: [StoreRecord]) throws -> CommittedBatch {
        try writer.withLock { writer in
            try pool.writeWithoutTransaction { db in
                let committed = try writer.commit(batch, db)
                checkpointer.committed(batch.reduce(0) { $0 + $1.byteCount }, db)
                return committed
            }
        }
    }

    /// The newest id of anything that was committed.
    var newestID: Int64 { writer.withLock { $0.newestID } }

    /// Moves what the log holds into the database and begins it anew, where that can be had quickly.
    func rest() { pool.writeWithoutTransaction { checkpointer.restart($0) } }

    /// Whether pages of the database that a sync has failed for may be missing on the disk.
    ///
    /// The kernel counts them as written then, so no later sync brings them there. The log still has them, and must
    /// not begin anew before they have been moved once more, which takes opening the file again.
    var needsReopening: Bool { checkpointer.hasFailedToSync }

    // MARK: The end

    /// - Parameter keepsLog: Whether the log stays as it is, to be read again by the next who opens the file.
    func close(keepsLog: Bool) throws {
        if keepsLog { pool.writeWithoutTransaction { $0.keepLogOnClose() } }
        try checkpointer.close()
        // The writer's connection is the last then, and moves and deletes the log if it may.
        pool.invalidateReadOnlyConnections()
        try pool.close()
    }
}
