// Part of Rollcall. SPDX-License-Identifier: Apache-2.0

import Foundation
import GRDB
import Synchronization
import TraceStore

/// Moves what was committed from the write-ahead log into the database, beside the writer, so that commits do not wait
/// for it. Failures are tolerated: the log grows until a later one succeeds.
final class Checkpointer: Sendable {
    private struct State: Sendable {
        var bytesSince = 0
        var isRunning = false
        var remainingFrames = 0
    }

    /// What is written between two checkpoints.
    private static let interval = 8 << 20
    /// The log's size from which the writer begins it anew, and from which it does so whatever it costs.
    private static let restartSize = 64 << 20
    private static let forcedRestartSize = 256 << 20
    private static let fewFrames = 1024

    private let queue: DatabaseQueue
    private let logPath: String
    private let state = Mutex(State())

    init(path: String) throws {
        var configuration = Configuration()
        configuration.label = "rollcall.checkpoints"
        configuration.busyMode = .timeout(1)
        queue = try DatabaseQueue(path: path, configuration: configuration)
        logPath = path + "-wal"
    }

    /// After each commit, on the writer's thread, with its connection and the bytes it wrote.
    func committed(_ bytes: Int, _ db: Database) {
        let (isDue, remaining) = state.withLock { state in
            state.bytesSince += bytes
            guard state.bytesSince >= Self.interval, !state.isRunning else { return (false, 0) }
            state.bytesSince = 0
            state.isRunning = true
            return (true, state.remainingFrames)
        }
        guard isDue else { return }
        let size = logSize
        if size > Self.forcedRestartSize || (size > Self.restartSize && remaining < Self.fewFrames) {
            restart(db)
        }
        queue.asyncWriteWithoutTransaction { [self] db in
            let result = try? db.checkpoint(.passive)
            state.withLock { state in
                state.isRunning = false
                if let result { state.remainingFrames = result.walFrameCount - result.checkpointedFrameCount }
            }
        }
    }

    /// Empties the log, on the writer's connection while nothing else happens.
    func truncate(_ db: Database) { _ = try? db.checkpoint(.truncate) }

    func close() throws { try queue.close() }

    private func restart(_ db: Database) {
        // Readers are short; a commit must not wait long for one that is not.
        try? db.execute(sql: "PRAGMA busy_timeout = 20")
        _ = try? db.checkpoint(.restart)
        try? db.execute(sql: "PRAGMA busy_timeout = 5000")
    }

    private var logSize: Int {
        (try? FileManager.default.attributesOfItem(atPath: logPath)[.size] as? Int) ?? 0
    }
}
