// Part of Rollcall. SPDX-License-Identifier: Apache-2.0

import GRDB
import Logging
import Synchronization
import TraceStore

/// The database as it is open: the connections, the checkpointer beside them, and what the writer remembers.
///
/// Written by one thread.
final class StoreFile: Sendable {
    let pool: DatabasePool
    let hashSeed: Int64
    private let checkpointer: Checkpointer
    /// The mutex is never waited for.
    private let writer: Mutex<BatchWriter>

    /// Opens the file, or makes it, and moves into it what its log still holds, where nobody is in the way.
    init(path: String, limits: StoreLimits, logger: Logger, now: @escaping @Sendable () -> Int64) throws {
        try LeftLog.bringToDisk(path)
        pool = try DatabasePool(path: path, configuration: Self.configuration(limits))
        checkpointer = try Checkpointer(path: path, logger: logger)
        let checkpointer = checkpointer
        let writer = try pool.writeWithoutTransaction { db in
            try Self.makeDurable(db, path: path)
            // Another program that has the file open keeps what an earlier gateway believed to have moved. What has been read
            // so far may lack it.
            try db.forgetWhatWasMoved()
            db.releaseMemory()
            try Schema.prepare(db, path: path)
            try GatheredWrites.install(db, on: .log)
            checkpointer.restart(db)
            return try BatchWriter(db, logsPerRollout: limits.logsPerRollout, now: now)
        }
        hashSeed = writer.hashSeed
        self.writer = Mutex(writer)
    }

    private static func configuration(_ limits: StoreLimits) -> Configuration {
        var configuration = Configuration()
        configuration.label = "rollcall.store"
        configuration.busyMode = .timeout(5)
        configuration.foreignKeysEnabled = false
        configuration.maximumReaderCount = 4
        configuration.prepareDatabase { db in
            var cache = limits.pageCacheBytes >> 10
            if db.configuration.readonly {
                db.keepLogOnClose()
                cache /= 4
            } else {
                // Most pages of a commit are those of indexes, where little changes. Only the file's first connection
                // decides.
                try db.execute(sql: "PRAGMA page_size = 4096")
            }
            try db.execute(sql: "PRAGMA cache_size = -\(cache); PRAGMA temp_store = MEMORY")
        }
        return configuration
    }

    /// Opening a pool sets `synchronous` to NORMAL, with which a power failure could take acknowledged commits back.
    private static func makeDurable(_ db: Database, path: String) throws {
        // A log that has grown beyond the usual is cut to it when it begins anew. Some builds of SQLite write zeros over
        // all that is deleted, and so as much into the log as a deletion is to make room for.
        try db.execute(
            sql: """
                PRAGMA synchronous = FULL; PRAGMA wal_autocheckpoint = 0; PRAGMA journal_size_limit = \(128 << 20);
                PRAGMA secure_delete = OFF
                """)
        guard try Int.fetchOne(db, sql: "PRAGMA synchronous") == 2 else {
            throw StoreError(
                .unusable, "\(path): SQLite does not sync its commits to the disk; use another SQLite")
        }
    }

    func commit(_ batch: [StoreRecord]) throws -> CommittedBatch {
        try writer.withLock { writer in
            try pool.writeWithoutTransaction { db in
                let committed = try writer.commit(batch, db)
                checkpointer.committed(batch.reduce(0) { $0 + $1.byteCount }, db)
                return committed
            }
        }
    }

    /// Moves what the log holds into the database and begins it anew, where that can be had quickly.
    func rest() { pool.writeWithoutTransaction { checkpointer.restart($0) } }

    func close() throws {
        // Ends a checkpoint that runs; only then is it known whether the log must be kept.
        try checkpointer.close()
        rest()
        if checkpointer.mustKeepLog { pool.writeWithoutTransaction { $0.keepLogOnClose() } }
        // The writer's connection is the last then, and moves and deletes the log if it may.
        pool.invalidateReadOnlyConnections()
        try pool.close()
    }
}
