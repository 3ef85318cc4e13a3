// Part of Rollcall. SPDX-License-Identifier: Apache-2.0

import CSQLite
import GRDB
import GRDBSQLite

/// What SQLite offers for the write-ahead log below its SQL.
extension Database {
    /// Leaves the log to the others, should this be the last connection that closes. Otherwise that one moves the log
    /// into the database and deletes it.
    func keepLogOnClose() {
        if let connection = sqliteConnection { _ = rollcall_keep_log_on_close(connection) }
    }

    /// Lets the next checkpoint move all that is in the log, whatever earlier ones have moved.
    ///
    /// How much those did stands in the index that all connections share, at a place that the file format fixes
    /// (`nBackfill`, https://sqlite.org/walformat.html), under the lock of checkpoints.
    ///
    /// - Throws: `DatabaseError`, busy when another checkpoint is running.
    func forgetWhatWasMoved() throws {
        // The index is there once the connection has read.
        _ = try Int.fetchOne(self, sql: "SELECT count(*) FROM sqlite_schema")
        try withFile { file, methods in
            let checkpoints: CInt = 1
            let code = methods.xShmLock(file, checkpoints, 1, SQLITE_SHM_LOCK | SQLITE_SHM_EXCLUSIVE)
            guard code == SQLITE_OK else { return code }
            defer { _ = methods.xShmLock(file, checkpoints, 1, SQLITE_SHM_UNLOCK | SQLITE_SHM_EXCLUSIVE) }
            var region: UnsafeMutableRawPointer?
            let mapped = methods.xShmMap(file, 0, 32 << 10, 0, &region)
            guard mapped == SQLITE_OK, let region else { return mapped == SQLITE_OK ? SQLITE_IOERR : mapped }
            region.storeBytes(of: 0, toByteOffset: 96, as: UInt32.self)
            return SQLITE_OK
        }
    }

    /// The database's file and what can be done with it.
    func withFile(
        _ body: (UnsafeMutablePointer<sqlite3_file>, sqlite3_io_methods) -> CInt
    ) throws {
        var file: UnsafeMutablePointer<sqlite3_file>?
        var code = sqlite3_file_control(sqliteConnection, "main", SQLITE_FCNTL_FILE_POINTER, &file)
        if code == SQLITE_OK {
            guard let file, let methods = file.pointee.pMethods else {
                throw DatabaseError(resultCode: .SQLITE_MISUSE)
            }
            code = body(file, methods.pointee)
        }
        guard code == SQLITE_OK else { throw DatabaseError(resultCode: ResultCode(rawValue: code)) }
    }
}
