// Part of Rollcall. SPDX-License-Identifier: Apache-2.0

import CSQLite
import GRDB

extension Database {
    /// Leaves the write-ahead log to the others, should this be the last connection that closes. Otherwise that one moves
    /// the log into the database and deletes it.
    func keepLogOnClose() {
        if let connection = sqliteConnection { _ = rollcall_keep_log_on_close(connection) }
    }
}
