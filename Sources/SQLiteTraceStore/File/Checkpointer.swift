// Part of Rollcall. SPDX-License-Identifier: Apache-2.0

import Foundation
import GRDB
import GRDBSQLite
import Logging
import Synchronization
import TraceStore

/// Moves what was committed from the write-ahead log into the database, beside the writer, so that commits do not wait
/// for it. Failures are tolerated: the log grows until a later one succeeds, or the disk takes the last pages of one.
///
/// A sync of the database that fails is never mended by a later one, for the kernel counts what it was to write as
/// written. All that the log holds is moved once more then, before the log may begin anew.
final class Checkpointer: Sendable {
    private struct State: Sendable {
        var bytesSince = 0
        var isRunning = false
        /// The log is long, and little of it was left to move when the last checkpoint ended.
        var mayRestart = false
        var mustMoveAll = false
        var isClosing = false
        /// The last pages of a checkpoint could not be written, and are to be.
        var isWaiting = false

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

    /// What is written between two checkpoints. Commits wait behind a checkpoint's sync, so each is to be short, and a
    /// short log stays in the processor's caches.
    private static let interval = 1 << 20
    /// The log's frames, of 4 kB each, from which the writer begins it anew, and from which it does so whatever it
    /// costs. Its file does not shrink then, so its size says nothing.
    private static let restartFrames = 4 << 10
    private static let forcedRestartFrames = 32 << 10
    private static let fewFrames = 512
    /// Between two attempts to write what must be written, in seconds.
    private static let retryInterval = 0.1

    private let path: String
    private let logger: Logger
    private let queue: DatabaseQueue
    private let state = Mutex(State())

    init(path: String, logger: Logger) throws {
        self.path = path
        self.logger = logger
        var configuration = Configuration()
        configuration.label = "rollcall.checkpoints"
        configuration.busyMode = .timeout(1)
        configuration.prepareDatabase { $0.keepLogOnClose() }
        queue = try DatabaseQueue(path: path, configuration: configuration)
        try queue.writeWithoutTransaction { db in
            try GatheredWrites.install(db, on: .database) { [weak self] in self?.waitsToTryAgain($0) ?? false }
        }
    }

    /// After each commit, on the writer's thread, with its connection and the bytes it wrote.
    func committed(_ bytes: Int, _ db: Database) {
        let action: Action = state.withLock { state in
            state.bytesSince += bytes
            guard !state.isRunning else { return .nothing }
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
                moving(db) {
                    defer { state.withLock { $0.isWaiting = false } }
                    let result = try db.checkpoint(.passive)
                    try Self.sync(db)
                    let hasWaited = state.withLock { state in
                        state.checkpointed(result)
                        return state.isWaiting
                    }
                    if hasWaited { logger.notice("The disk of \(path) takes what is moved into it again.") }
                }
                state.withLock { $0.isRunning = false }
            }
        }
    }

    /// After the last pages of a checkpoint could not be written: waits for the disk, or gives up when the store closes,
    /// for nobody reads of it then. On the thread of the checkpointer's own queue, which has nothing else to do.
    private func waitsToTryAgain(_ code: CInt) -> Bool {
        let (isClosing, isFirst) = state.withLock { state in
            defer { state.isWaiting = !state.isClosing }
            return (state.isClosing, !state.isWaiting)
        }
        if isClosing { return false }
        if isFirst {
            logger.error(
                """
                The disk of \(path) does not take what is to be moved into it from the log beside it \
                (\(String(cString: sqlite3_errstr(code)))). Nothing is lost: it is tried again until it succeeds, and the log \
                grows meanwhile. Look at the disk
                """)
        }
        Thread.sleep(forTimeInterval: Self.retryInterval)
        return true
    }

    /// Whether the log has what the database may lack.
    var mustKeepLog: Bool { state.withLock { $0.mustMoveAll } }

    /// Moves all there is and begins the log anew, on the writer's connection. The log's file keeps its length: to write
    /// where there are blocks already takes less of each sync than to make the file grow again.
    func restart(_ db: Database) {
        guard !state.withLock({ $0.isRunning }) else { return }
        // Readers are short; a commit must not wait long for one that is not.
        try? db.execute(sql: "PRAGMA busy_timeout = 20")
        moving(db) { _ = try db.checkpoint(.restart) }
        try? db.execute(sql: "PRAGMA busy_timeout = 5000")
    }

    /// Runs a checkpoint that ends with a sync. A full disk and a reader in the way are tolerated.
    private func moving(_ db: Database, _ checkpoint: () throws -> Void) {
        do {
            if mustKeepLog { try db.forgetWhatWasMoved() }
            try checkpoint()
            state.withLock { $0.mustMoveAll = false }
        } catch let error as DatabaseError
            where [.SQLITE_BUSY, .SQLITE_LOCKED, .SQLITE_FULL].contains(error.resultCode)
        {
        } catch {
            let isFirst = state.withLock { state in
                defer { state.mustMoveAll = true }
                return !state.mustMoveAll
            }
            // At once, for whoever reads next, and again before the next is moved.
            try? db.forgetWhatWasMoved()
            guard isFirst else { return }
            logger.error(
                """
                The disk of \(path) failed (\((error as? DatabaseError)?.message ?? "\(error)")). Nothing is lost: all that \
                the log beside it holds is written once more. Look at the disk
                """)
        }
    }

    /// Syncs the database file. A checkpoint does so only when it leaves nothing in the log; what it leaves unsynced
    /// would all fall to the one that restarts the log, and commits wait for that.
    private static func sync(_ db: Database) throws {
        try db.withFile { file, methods in methods.xSync(file, SQLITE_SYNC_NORMAL | SQLITE_SYNC_DATAONLY) }
    }

    /// Waits for the checkpoint that is running, which no longer waits for the disk.
    func close() throws {
        state.withLock { $0.isClosing = true }
        try queue.close()
    }
}
