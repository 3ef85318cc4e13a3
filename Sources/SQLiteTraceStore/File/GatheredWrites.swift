// Part of Rollcall. SPDX-License-Identifier: Apache-2.0

import GRDB
import GRDBSQLite

/// Gathers what SQLite writes to a file into few writes: the pages of a commit to the log, each of which it hands over by
/// itself with its header before it, and the pages that a checkpoint moves into the database.
///
/// Stands between SQLite and its own methods for one file of one connection. What is gathered is in the file before
/// anything is synced or read, or counted as moved, and only that connection knows of it before, so nobody sees a
/// difference.
struct GatheredWrites {
    enum File {
        /// The write-ahead log.
        case log
        case database

        fileprivate var pointer: CInt {
            switch self {
            case .log: SQLITE_FCNTL_JOURNAL_POINTER
            case .database: SQLITE_FCNTL_FILE_POINTER
            }
        }
    }

    /// First, for this is where SQLite looks for a file's methods.
    private var methods: sqlite3_io_methods
    private let original: UnsafePointer<sqlite3_io_methods>
    private let buffer: UnsafeMutableRawPointer
    /// Where in the file the buffer's bytes belong, and how many there are.
    private var start: sqlite3_int64 = 0
    private var count = 0
    private let waitsToTryAgain: @Sendable (CInt) -> Bool
    /// What could not be written, and SQLite has not been told yet.
    private var failure = SQLITE_OK

    /// SQLite's own method takes less than 128 kB at once.
    private static let capacity = 124 << 10

    /// Gathers this connection's writes to one of its files, which is open.
    ///
    /// - Parameter waitsToTryAgain: Asked, with SQLite's code, when the last pages of a checkpoint cannot be written. SQLite
    ///   takes no error there and may count them as moved, so that others would read the database without them: to give
    ///   up is for a store that nobody reads any more. The connection's next sync fails then.
    /// - Throws: `DatabaseError` when the connection has no such file.
    static func install(
        _ db: Database, on kind: File, waitsToTryAgain: @escaping @Sendable (CInt) -> Bool = { _ in false }
    ) throws {
        if kind == .database, sqlite3_libversion_number() < firstVersionThatTellsTheEnd { return }
        var file: UnsafeMutablePointer<sqlite3_file>?
        let code = sqlite3_file_control(db.sqliteConnection, "main", kind.pointer, &file)
        guard code == SQLITE_OK, let file, let original = file.pointee.pMethods else {
            throw DatabaseError(resultCode: code == SQLITE_OK ? .SQLITE_MISUSE : ResultCode(rawValue: code))
        }
        let gathered = UnsafeMutablePointer<GatheredWrites>.allocate(capacity: 1)
        gathered.initialize(to: GatheredWrites(above: original, waitsToTryAgain))
        file.pointee.pMethods = UnsafeRawPointer(gathered).assumingMemoryBound(to: sqlite3_io_methods.self)
    }

    /// Older ones might not tell when a checkpoint has written all pages.
    private static let firstVersionThatTellsTheEnd: CInt = 3_037_000

    private init(
        above original: UnsafePointer<sqlite3_io_methods>, _ waitsToTryAgain: @escaping @Sendable (CInt) -> Bool
    ) {
        self.original = original
        self.waitsToTryAgain = waitsToTryAgain
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
        methods.xFileControl = { file, operation, argument in
            GatheredWrites.with(file) { gathered, file in
                if operation == SQLITE_FCNTL_CKPT_DONE { gathered.pointee.finish(file) }
                return gathered.pointee.original.pointee.xFileControl(file, operation, argument)
            }
        }
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

    /// What cannot be written is given up: SQLite writes the next commit over one that has failed, and the next checkpoint
    /// writes its pages again.
    private mutating func flush(_ file: UnsafeMutablePointer<sqlite3_file>) -> CInt {
        defer { (count, failure) = (0, SQLITE_OK) }
        return failure == SQLITE_OK ? writeGathered(file) : failure
    }

    /// Writes a checkpoint's last pages.
    private mutating func finish(_ file: UnsafeMutablePointer<sqlite3_file>) {
        var code = writeGathered(file)
        while code != SQLITE_OK, waitsToTryAgain(code) { code = writeGathered(file) }
        if code != SQLITE_OK { failure = SQLITE_IOERR }
        count = 0
    }

    private func writeGathered(_ file: UnsafeMutablePointer<sqlite3_file>) -> CInt {
        count > 0 ? original.pointee.xWrite(file, buffer, CInt(count), start) : SQLITE_OK
    }
}
