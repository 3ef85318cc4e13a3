// Part of Rollcall. SPDX-License-Identifier: Apache-2.0

#ifndef ROLLCALL_CSQLITE_SHIM_H
#define ROLLCALL_CSQLITE_SHIM_H

#include <sqlite3.h>

// `sqlite3_db_config` is variadic, which Swift cannot call.
static inline int rollcall_keep_log_on_close(sqlite3 *database) {
    return sqlite3_db_config(database, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1, (int *)0);
}

#endif
