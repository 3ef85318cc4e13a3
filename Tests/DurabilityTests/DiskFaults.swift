// Part of Rollcall. SPDX-License-Identifier: Apache-2.0

import Foundation
import TestSupport
import Testing

/// What stands between a gateway and its disk: diskfaults.c, compiled when it is first needed.
struct DiskFaults: Sendable {
    enum Operation: Int32, Sendable, CaseIterable {
        case write = 1
        case sync = 3
    }

    enum File: Int32, Sendable, CaseIterable {
        case database = 1
        case log = 2

        var suffix: String { self == .database ? "" : "-wal" }
    }

    let store: URL
    /// Every change and sync of the store's files.
    let record: URL
    private let control: URL
    private let library: URL

    /// The library is preloaded as the dynamic linker of Linux does it.
    static var isSupported: Bool {
        #if os(Linux)
        true
        #else
        false
        #endif
    }

    private static let library = Task { () throws -> URL in
        let source = try #require(Bundle.module.url(forResource: "diskfaults", withExtension: "c"))
        let result = FileManager.default.temporaryDirectory.appending(path: "rollcall-diskfaults-\(getpid()).so")
        try await run("clang", "-shared", "-fPIC", "-O1", "-o", result.path, source.path)
        return result
    }

    /// For the store of this name in a folder; the record and the control file stand beside it.
    init(store: URL) async throws {
        self.store = store
        record = store.appendingPathExtension("record")
        control = store.appendingPathExtension("control")
        library = try await Self.library.value
        try FileManager.default.createDirectory(
            at: store.deletingLastPathComponent(), withIntermediateDirectories: true)
        try Data(count: 24).write(to: control)
        try? FileManager.default.removeItem(at: record)
    }

    /// A gateway on the store, with this between it and its disk.
    ///
    /// - Parameters:
    ///   - arguments: More of them.
    ///   - records: Whether what happens to the files is written down.
    func gateway(
        upstream: String, port: Int = 0, _ arguments: [String] = [], records: Bool = true, dropsSyncs: Bool = false
    ) throws -> RollcallProcess {
        var variables = [
            "LD_PRELOAD": library.path, "DISKFAULTS_PATH": store.path, "DISKFAULTS_CONTROL": control.path,
        ]
        if records { variables["DISKFAULTS_LOG"] = record.path }
        if dropsSyncs { variables["DISKFAULTS_DROP_SYNCS"] = "1" }
        return try RollcallProcess(
            "gateway",
            ["--port", "\(port)", "--store", "sqlite:\(store.path)", "--upstream", upstream + "/v1"] + arguments,
            variables: variables)
    }

    /// What the write-ahead log's head holds; another each time the log begins anew.
    func logHead() throws -> Data {
        let handle = try FileHandle(forReadingFrom: URL(fileURLWithPath: store.path + File.log.suffix))
        defer { try? handle.close() }
        return try handle.read(upToCount: 32) ?? Data()
    }

    /// Cuts what a kill has left of an entry at the record's end, so that another gateway can go on with it.
    func endRecord() throws {
        let length = try DiskRecord(record).entries.last?.payload.upperBound ?? 0
        let handle = try FileHandle(forWritingTo: record)
        try handle.truncate(atOffset: UInt64(length))
        try handle.close()
    }

    /// How much has been recorded: what is acknowledged now must be found after any failure later than this.
    var position: Int {
        var status = stat()
        return stat(record.path, &status) == 0 ? Int(status.st_size) : 0
    }

    /// Lets `count` operations fail with `error`, after `skip` that pass.
    func fail(_ operation: Operation, on file: File?, skip: Int = 0, count: Int = .max, error: Int32) throws {
        let count = Int32(clamping: count)
        // The kind comes last: until then nothing fails.
        try write([file?.rawValue ?? 0, Int32(skip), count, error, 0], at: 4)
        try write([operation.rawValue], at: 0)
    }

    /// Lets all pass from now on, and counts them.
    func count(_ operation: Operation, on file: File) throws {
        try fail(operation, on: file, skip: Int(Int32.max), count: 0, error: 0)
    }

    /// How many have passed since ``count(_:on:)``.
    func passed() throws -> Int {
        try Data(contentsOf: control).withUnsafeBytes {
            Int(Int32.max - $0.loadUnaligned(fromByteOffset: 8, as: Int32.self))
        }
    }

    func stopFailing() throws { try write([0], at: 0) }

    /// How many have failed since ``fail(_:on:skip:count:error:)``.
    func failures() throws -> Int {
        try Data(contentsOf: control).withUnsafeBytes { Int($0.loadUnaligned(fromByteOffset: 20, as: Int32.self)) }
    }

    private func write(_ numbers: [Int32], at offset: UInt64) throws {
        let handle = try FileHandle(forWritingTo: control)
        try handle.seek(toOffset: offset)
        try numbers.withUnsafeBytes { try handle.write(contentsOf: Data($0)) }
        try handle.close()
    }
}
