// Part of Rollcall. SPDX-License-Identifier: Apache-2.0

import GRDB
import TraceStore

extension StoreError {
    /// What an error of SQLite means for the store. The text names no values.
    init(_ error: any Error, path: String) {
        guard let error = error as? DatabaseError else {
            self = error as? StoreError ?? StoreError(.unavailable, "\(path): \(error)")
            return
        }
        let message = error.message ?? "code \(error.extendedResultCode.rawValue)"
        switch error.resultCode {
        case .SQLITE_CONSTRAINT, .SQLITE_TOOBIG, .SQLITE_MISMATCH, .SQLITE_RANGE:
            self.init(.refused, "the record cannot be stored in \(path): \(message)")
        case .SQLITE_FULL:
            self.init(.unavailable, "there is no room left for \(path): \(message); free some space on its disk")
        case .SQLITE_CORRUPT, .SQLITE_NOTADB:
            self.init(.unusable, "\(path) is damaged or no database: \(message); restore a copy or name another file")
        case .SQLITE_BUSY, .SQLITE_LOCKED:
            self.init(.unavailable, "another program holds \(path): \(message); end its transaction")
        default:
            self.init(.unavailable, "\(path) cannot be used now: \(message); look at its disk and permissions")
        }
    }
}
