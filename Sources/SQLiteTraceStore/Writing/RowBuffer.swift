// Part of Rollcall. SPDX-License-Identifier: Apache-2.0

import GRDB
import GRDBSQLite

/// The values of one row in one buffer, which serves row after row.
///
/// GRDB's arguments take a copy and several allocations for each value, which for the wide rows of calls costs more
/// than SQLite's own work. Used by one thread at a time.
struct RowBuffer {
    private enum Value {
        case null
        case integer(Int64)
        case text(Range<Int>)
        case blob(Range<Int>)
    }

    private var values: [Value] = []
    private var bytes: [UInt8] = []

    /// What is kept for the next row at most.
    private static let keptBytes = 1 << 20

    mutating func append(_ number: (some BinaryInteger)?) {
        values.append(number.map { .integer(Int64($0)) } ?? .null)
    }

    mutating func append(_ text: String?) {
        guard let text else { return values.append(.null) }
        let start = bytes.count
        bytes.append(contentsOf: text.utf8)
        values.append(.text(start..<bytes.count))
    }

    mutating func append(_ blob: [UInt8]?) {
        if let blob { append(bytes: blob) } else { values.append(.null) }
    }

    /// What clients write is stored as a BLOB of its UTF-8, for it may contain NUL.
    mutating func append(blobOf text: String?) {
        if let text { append(bytes: text.utf8) } else { values.append(.null) }
    }

    private mutating func append(bytes blob: some Collection<UInt8>) {
        let start = bytes.count
        bytes.append(contentsOf: blob)
        values.append(.blob(start..<bytes.count))
    }

    /// Runs the statement with the values, in their order, and forgets them.
    ///
    /// - Throws: `DatabaseError`, as GRDB does for its own statements.
    mutating func execute(_ statement: Statement) throws {
        defer { clear() }
        let sqlite = statement.sqliteStatement
        let code = bytes.withUnsafeBytes { bytes -> CInt in
            // SQLite reads the bytes where they are (no destructor), so they are unbound before they go.
            defer {
                sqlite3_reset(sqlite)
                sqlite3_clear_bindings(sqlite)
            }
            for (index, value) in values.enumerated() {
                let code = Self.bind(value, CInt(index + 1), sqlite, bytes)
                guard code == SQLITE_OK else { return code }
            }
            return sqlite3_step(sqlite)
        }
        guard code == SQLITE_DONE else { throw DatabaseError(resultCode: ResultCode(rawValue: code)) }
    }

    private static func bind(
        _ value: Value, _ index: CInt, _ sqlite: OpaquePointer, _ bytes: UnsafeRawBufferPointer
    ) -> CInt {
        switch value {
        case .null: sqlite3_bind_null(sqlite, index)
        case .integer(let number): sqlite3_bind_int64(sqlite, index, number)
        case .text(let range):
            sqlite3_bind_text64(
                sqlite, index, bytes.baseAddress.map { ($0 + range.lowerBound).assumingMemoryBound(to: CChar.self) },
                sqlite3_uint64(range.count), nil, UInt8(SQLITE_UTF8))
        // Without bytes there may be no address, and no address would be bound as NULL.
        case .blob(let range) where range.isEmpty: sqlite3_bind_zeroblob(sqlite, index, 0)
        case .blob(let range):
            sqlite3_bind_blob64(
                sqlite, index, bytes.baseAddress.map { $0 + range.lowerBound }, sqlite3_uint64(range.count), nil)
        }
    }

    private mutating func clear() {
        values.removeAll(keepingCapacity: true)
        bytes.removeAll(keepingCapacity: bytes.capacity <= Self.keptBytes)
    }
}
