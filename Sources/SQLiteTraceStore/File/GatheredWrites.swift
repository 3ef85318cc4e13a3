// Part of Rollcall. SPDX-License-Identifier: Apache-2.0

import GRDB
import GRDBSQLite

/// Gathers what a commit writes to the log into one write. SQLite hands every page over by itself, and its header
/// before it, which are a hundred system calls for a batch.
///
/// Stands between SQLite and its own methods for the log's file of one connection. What is gathered is in the file before
/// anything is synced or read, and only that connection knows of it before the sync, so nobody sees a difference.
struct GatheredWrites {
    /// First, for this is where SQLite looks for a file's methods.
    private var methods: sqlite3_io_methods
    private let original: UnsafePointer<sqlite3_io_methods>
    private let buffer: UnsafeMutableRawPointer
    /// Where in the file the buffer's bytes belong, and how many there are.
    private var start: sqlite3_int64 = 0
    private var count = 0

    /// SQLite's own method takes less than 128 kB at once.
    private static let capacity = 124 << 10

    /// Gathers the writes of this connection, whose log is open.
    ///
    /// - Throws: `DatabaseError` when the connection has no log.
    static func install(_ db: Database) throws {
        var log: UnsafeMutablePointer<sqlite3_file>?
        let code = sqlite3_file_control(db.sqliteConnection, "main", SQLITE_FCNTL_JOURNAL_POINTER, &log)
        guard code == SQLITE_OK, let log, let original = log.pointee.pMethods else {
            throw DatabaseError(resultCode: code == SQLITE_OK ? .SQLITE_MISUSE : ResultCode(rawValue: code))
        }
        let gathered = UnsafeMutablePointer<GatheredWrites>.allocate(capacity: 1)
        gathered.initialize(to: GatheredWrites(above: original))
        log.pointee.pMethods = UnsafeRawPointer(gathered).assumingMemoryBound(to: sqlite3_io_methods.self)
    }

    private init(above original: UnsafePointer<sqlite3_io_methods>) {
        self.original = original
        buffer = .allocate(byteCount: Self.capacity, alignment: 64)
        methods = original.pointee
        methods.xClose = { file in
            GatheredWrites.with(file) { gathered, file in
                let written = gathered.pointee.flush(file)
                let original = gathered.pointee.original
                file.pointee.pMethods = original
                gathered.pointee.buffer.deallocate()
                gathered.deinitialize(count: 1)
                gathered.deallocate()
                let closed = original.pointee.xClose(file)
                return written == SQLITE_OK ? closed : written
            }
        }
        methods.xRead = { file, bytes, count, offset in
            GatheredWrites.flushed(file) { $0.xRead($1, bytes, count, offset) }
        }
        methods.xWrite = { file, bytes, count, offset in
            GatheredWrites.with(file) { $0.pointee.write(bytes, Int(count), at: offset, $1) }
        }
        methods.xTruncate = { file, size in GatheredWrites.flushed(file) { $0.xTruncate($1, size) } }
        methods.xSync = { file, flags in GatheredWrites.flushed(file) { $0.xSync($1, flags) } }
        methods.xFileSize = { file, size in GatheredWrites.flushed(file) { $0.xFileSize($1, size) } }
    }

    private static func with(
        _ file: UnsafeMutablePointer<sqlite3_file>?,
        _ body: (UnsafeMutablePointer<GatheredWrites>, UnsafeMutablePointer<sqlite3_file>) -> CInt
    ) -> CInt {
        guard let file, let methods = file.pointee.pMethods else { return SQLITE_MISUSE }
        // They are the first of what install has allocated.
        let gathered = UnsafeMutableRawPointer(mutating: methods).assumingMemoryBound(to: GatheredWrites.self)
        return body(gathered, file)
    }

    private static func flushed(
        _ file: UnsafeMutablePointer<sqlite3_file>?,
        _ body: (sqlite3_io_methods, UnsafeMutablePointer<sqlite3_file>) -> CInt
    ) -> CInt {
        with(file) { gathered, file in
            let written = gathered.pointee.flush(file)
            return written == SQLITE_OK ? body(gathered.pointee.original.pointee, file) : written
        }
    }

    private mutating func write(
        _ bytes: UnsafeRawPointer?, _ length: Int, at offset: sqlite3_int64, _ file: UnsafeMutablePointer<sqlite3_file>
    ) -> CInt {
        guard let bytes, length > 0 else { return SQLITE_OK }
        if count > 0, start + sqlite3_int64(count) != offset || count + length > Self.capacity {
            let written = flush(file)
            guard written == SQLITE_OK else { return written }
        }
        guard length <= Self.capacity else { return original.pointee.xWrite(file, bytes, CInt(length), offset) }
        if count == 0 { start = offset }
        (buffer + count).copyMemory(from: bytes, byteCount: length)
        count += length
        return SQLITE_OK
    }

    /// What cannot be written is given up: the commit has failed, and SQLite writes the next one over it.
    private mutating func flush(_ file: UnsafeMutablePointer<sqlite3_file>) -> CInt {
        guard count > 0 else { return SQLITE_OK }
        defer { count = 0 }
        return original.pointee.xWrite(file, buffer, CInt(count), start)
    }
}
