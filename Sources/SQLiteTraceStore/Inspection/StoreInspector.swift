// Part of Rollcall. SPDX-License-Identifier: Apache-2.0

import Foundation
import GRDB
package import TraceStore

#if canImport(Glibc)
import Glibc
#endif

/// Looks into a store, whether a gateway is using it or not, and changes nothing in it.
///
/// Its methods block the thread until they are done.
package struct StoreInspector {
    private let path: String
    private let queue: DatabaseQueue

    /// - Throws: `unusable` when there is no such file, or it is none that this program knows.
    package init(path: String) throws(StoreError) {
        self.path = path
        guard FileManager.default.fileExists(atPath: path) else {
            throw StoreError(.unusable, "there is no \(path); name the store with --store sqlite:PATH")
        }
        do {
            var configuration = Configuration()
            configuration.readonly = true
            configuration.busyMode = .timeout(5)
            queue = try DatabaseQueue(path: path, configuration: configuration)
            try queue.inDatabase { try Schema.expect($0, path: path) }
        } catch {
            throw StoreError(error, path: path)
        }
    }

    package func statistics() throws(StoreError) -> StoreStatistics {
        try reading { db in
            func number(_ sql: String) throws -> Int { try Int.fetchOne(db, sql: sql) ?? 0 }
            let page = try number("PRAGMA page_size")
            let log = try? FileManager.default.attributesOfItem(atPath: path + "-wal")[.size] as? Int
            let times = try Row.fetchOne(
                db,
                sql: """
                    SELECT min(first), max(last) FROM (SELECT min(id) AS first, max(id) AS last FROM call
                      UNION ALL SELECT min(id), max(id) FROM log)
                    """)
            func calls(_ state: CallRecord.State) throws -> Int {
                try number("SELECT count(*) FROM call WHERE state = \(state.rawValue)")
            }
            return StoreStatistics(
                path: path, databaseBytes: try number("PRAGMA page_count") * page,
                freeBytes: try number("PRAGMA freelist_count") * page, logBytes: (log ?? nil) ?? 0,
                accounts: try number("SELECT count(*) FROM account"),
                rollouts: try number("SELECT count(*) FROM rollout"),
                attempts: try number("SELECT count(*) FROM attempt WHERE number > 0"),
                recordedCalls: try calls(.recorded), failedCalls: try calls(.failed), cutCalls: try calls(.cut),
                lines: try number("SELECT count(*) FROM log"), events: try number("SELECT count(*) FROM event"),
                firstAt: times?[0], lastAt: times?[1])
        }
    }

    /// What is wrong with the store, a sentence each, a hundred at most: damaged pages, and records that refer to some
    /// that are not there. None in a store that is whole.
    package func problems() throws(StoreError) -> [String] {
        try reading { db in
            var problems = try String.fetchAll(db, sql: "PRAGMA integrity_check(100)").filter { $0 != "ok" }
            // What hangs together by these could not be told apart from what does not.
            guard problems.isEmpty else { return problems }
            for reference in Self.references {
                let count = try Int.fetchOne(db, sql: reference.sql) ?? 0
                if count > 0 { problems.append("\(count) \(reference.description)") }
            }
            let calls = try Row.fetchCursor(db, sql: "SELECT id, envelope FROM call ORDER BY id")
            while let call = try calls.next(), problems.count < 100 {
                do {
                    _ = try CallRows.body(of: call[0], envelope: call.bytes(1) ?? [], db)
                    _ = try CallRows.prompt(of: call[0], db)
                } catch let error as StoreError {
                    problems.append(error.description)
                }
            }
            return problems
        }
    }

    private static let references = [
        (
            description: "calls of rollouts that are not there",
            sql: "SELECT count(*) FROM call WHERE rollout NOT IN (SELECT id FROM rollout)"
        ),
        (
            description: "calls without their tags",
            sql: "SELECT count(*) FROM call WHERE tagset NOT IN (SELECT id FROM tagset)"
        ),
        (
            description: "lines without their tags",
            sql: "SELECT count(*) FROM log WHERE tagset NOT IN (SELECT id FROM tagset)"
        ),
        (
            description: "statuses without the line that set them",
            sql: "SELECT count(*) FROM attempt WHERE log IS NOT NULL AND log NOT IN (SELECT id FROM log)"
        ),
        (
            description: "events without the line they tell of",
            sql: "SELECT count(*) FROM event WHERE log NOT IN (SELECT id FROM log)"
        ),
    ]

    /// Writes a copy of the store as it is now into a new file, without its free room, and checks the copy.
    ///
    /// - Throws: `refused` when there is such a file already; `unusable` when the copy is not whole.
    package func backup(to destination: String) throws(StoreError) {
        guard !FileManager.default.fileExists(atPath: destination) else {
            throw StoreError(.refused, "\(destination) is there already; name a file that is not")
        }
        let partial = destination + ".partial"
        do {
            try? FileManager.default.removeItem(atPath: partial)
            try queue.inDatabase { try $0.execute(sql: "VACUUM INTO ?", arguments: [partial]) }
            let problems = try StoreInspector(path: partial).problems()
            guard problems.isEmpty else {
                throw StoreError(.unusable, "the copy \(partial) is damaged: \(problems[0]); look at its disk")
            }
            try Self.sync(partial)
            try FileManager.default.moveItem(atPath: partial, toPath: destination)
            try Self.sync(URL(fileURLWithPath: destination).deletingLastPathComponent().path)
        } catch {
            throw StoreError(error, path: destination)
        }
    }

    /// Brings a file, or the names in a folder, to the disk.
    private static func sync(_ path: String) throws(StoreError) {
        let descriptor = open(path, O_RDONLY | O_CLOEXEC)
        defer { if descriptor >= 0 { close(descriptor) } }
        guard descriptor >= 0, fsync(descriptor) == 0 else {
            throw StoreError(.unavailable, "\(path) could not be synced (\(String(cString: strerror(errno))))")
        }
    }

    private func reading<Result>(_ body: (Database) throws -> Result) throws(StoreError) -> Result {
        do {
            return try queue.read(body)
        } catch {
            throw StoreError(error, path: path)
        }
    }
}
