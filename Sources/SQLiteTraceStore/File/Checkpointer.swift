// Part of Rollcall. SPDX-License-Identifier: Apache-2.0

import GRDB
import GRDBSQLite
import Synchronization
import TraceStore

/// Moves what was committed from the write-ahead log into the database, beside the writer, so that commits do not wait
/// for it. Failures are tolerated: the log grows until a later one succeeds. After one to sync none is tried any more.
final class Checkpointer: Sendable {
    private struct State: Sendable {
        var bytesSince = 0
        var isRunning = false
        /// The log is long, and little of it was left to move when the last checkpoint ended.
        var mayRestart = false
        var hasFailedToSync = false

        mutating func checkpointed(_ result: (walFrameCount: Int, checkpointedFrameCount: Int)) {
            let remaining = result.walFrameCount - result.checkpointedFrameCount
            mayRestart =
                result.walFrameCount > forcedRestartFrames
                || (result.walFrameCount > restartFrames && remaining < fewFrames)
        }
    }

    private enum Action {
        case nothing, checkpoint, restart
    }

    /// What is written between two checkpoints.
    private static let interval = 8 << 20
    /// The log's frames, of 8 kB each, from which the writer begins it anew, and from which it does so whatever it
    /// costs. Its file does not shrink then, so its size says nothing.
    private static let restartFrames = 8 << 10
    private static let forcedRestartFrames = 32 << 10
    private static let fewFrames = 512

    private let queue: DatabaseQueue
    private let state = Mutex(State())

    init(path: String) throws {
        var configuration = Configuration()
        configuration.label = "rollcall.checkpoints"
        configuration.busyMode = .timeout(1)
        configuration.prepareDatabase { $0.keepLogOnClose() }
        queue = try DatabaseQueue(path: path, configuration: configuration)
    }

    /// After each commit, on the writer's thread, with its connection and the bytes it wrote.
    func committed(_ bytes: Int, _ db: Database) {
        let action: Action = state.withLock { state in
            state.bytesSince += bytes
            guard !state.isRunning, !state.hasFailedToSync else { return .nothing }
            if state.mayRestart {
                // Right after a checkpoint there is least left to move.
                state.mayRestart = false
                return .restart
            }
            guard state.bytesSince >= Self.interval else { return .nothing }
            state.bytesSince = 0
            state.isRunning = true
            return .checkpoint
        }
        switch action {
        case .nothing: break
        case .restart: restart(db)
        case .checkpoint:
            queue.asyncWriteWithoutTransaction { [self] db in
                tolerating {
                    let result = try db.checkpoint(.passive)
                    try Self.sync(db)
                    state.withLock { $0.checkpointed(result) }
                }
                state.withLock { $0.isRunning = false }
            }
        }
    }

    var hasFailedToSync: Bool { state.withLock { $0.hasFailedToSync } }

    /// Syncs the database file. A checkpoint does so only when it leaves nothing in the log; what it leaves unsynced
    /// would all fall to the one that restarts the log, and commits wait for that.
    private static func sync(_ db: Database) throws {
        var file: UnsafeMutablePointer<sqlite3_file>?
        let found = sqlite3_file_control(db.sqliteConnection, "main", SQLITE_FCNTL_FILE_POINTER, &file)
        guard found == SQLITE_OK, let file, let methods = file.pointee.pMethods else { return }
        let code = methods.pointee.xSync(file, SQLITE_SYNC_NORMAL | SQLITE_SYNC_DATAONLY)
        guard code == SQLITE_OK else { throw DatabaseError(resultCode: ResultCode(rawValue: code)) }
    }

    /// Moves all there is and begins the log anew, on the writer's connection. The log's file keeps its length: to write
    /// where there are blocks already takes less of each sync than to make the file grow again.
    func restart(_ db: Database) {
        guard !hasFailedToSync else { return }
        // Readers are short; a commit must not wait long for one that is not.
        try? db.execute(sql: "PRAGMA busy_timeout = 20")
        tolerating { _ = try db.checkpoint(.restart) }
        try? db.execute(sql: "PRAGMA busy_timeout = 5000")
    }

    /// Moves all there is into the database. Throws when that cannot be done.
    func empty(_ db: Database) throws {
        _ = try db.checkpoint(.restart)
    }

    /// A full disk and a reader in the way come to an end; of a failed sync it is noted that nothing mends it.
    private func tolerating(_ checkpoint: () throws -> Void) {
        do {
            try checkpoint()
        } catch let error as DatabaseError where error.resultCode != .SQLITE_IOERR {
        } catch {
            state.withLock { $0.hasFailedToSync = true }
        }
    }

    func close() throws { try queue.close() }
}
