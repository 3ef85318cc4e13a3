// Part of Rollcall. SPDX-License-Identifier: Apache-2.0

import Dispatch
import Foundation
import Logging
import Synchronization

/// Why a journal cannot be used.
package struct JournalError: Error, CustomStringConvertible {
    package let description: String
}

/// The accepted rollouts on disk, for the process that comes after one that was killed.
///
/// Lines are appended and never changed; when half of them are of no more use the file is written anew beside the old one
/// and takes its place. It is meant for processes that die, not for machines: whatever the kernel has been given is there,
/// so nothing waits for the disk. What a machine's end takes with it, the leases of its rollouts end.
package final class Journal: Sendable {
    private struct File {
        var descriptor: Int32
        var state: JournalState
        /// Bytes since the file was written anew, and then.
        var appended = 0
        var snapshot: Int
        /// Whether the last line may have been written in part.
        var isTorn = false
        var hasFailed = false
    }

    /// Older rollouts than this are not reported any more: whoever waited for them does not.
    private static let maximumAge = 86_400
    /// A journal shorter than this is not written anew.
    private static let minimumGrowth = 1 << 20

    package let path: String
    /// What the process before this one left behind.
    package let recovered: [JournalRecord]
    /// Changed by the queue alone, on which it may block.
    private let file: Mutex<File>
    private let queue = DispatchQueue(label: "rollcall.journal")
    private let lock: Int32
    private let logger: Logger

    /// Opens the journal, or makes it.
    ///
    /// - Throws: ``JournalError`` when it cannot be written, or another environment has it.
    package init(path: String, logger: Logger) throws {
        self.path = path
        self.logger = logger
        // On a file of its own: the journal's is replaced.
        lock = try Self.open(path + ".lock", O_RDWR | O_CREAT)
        guard flock(lock, LOCK_EX | LOCK_NB) == 0 else {
            close(lock)
            throw JournalError(
                description: "The journal \(path) is in use by another environment; give each one of its own.")
        }
        do {
            var damaged = 0
            var state = JournalState(replaying: try Self.contents(of: path), damaged: &damaged)
            if damaged > 0 { logger.notice("the journal \(path) has \(damaged) lines that were not written whole") }
            let oldest = Int(Date().timeIntervalSince1970) - Self.maximumAge
            for record in state.records where record.acceptedAt < oldest { state.apply(.forgotten(record.key)) }
            recovered = state.records
            let snapshot = state.snapshot
            let descriptor = try Self.replace(path, with: snapshot)
            file = Mutex(File(descriptor: descriptor, state: state, snapshot: snapshot.count))
        } catch {
            Self.unlock(lock)
            throw error
        }
    }

    deinit {
        close(file.withLock { $0.descriptor })
        Self.unlock(lock)
    }

    /// To close it would not do: a process that is just being started has it too, until it runs its own program.
    private static func unlock(_ lock: Int32) {
        flock(lock, LOCK_UN)
        close(lock)
    }

    /// Adds a line, in the order of the calls, without waiting for it.
    package func append(_ entry: JournalEntry) { queue.async { self.write(entry) } }

    /// Adds a line and waits until the kernel has it.
    ///
    /// - Returns: Why the kernel does not, as when the disk is full.
    @discardableResult
    package func add(_ entry: JournalEntry) async -> JournalError? {
        await withCheckedContinuation { continuation in
            queue.async { continuation.resume(returning: self.write(entry)) }
        }
    }

    /// Waits until all lines so far are written.
    package func flush() async {
        await withCheckedContinuation { continuation in queue.async { continuation.resume() } }
    }

    // MARK: On the queue

    @discardableResult
    private func write(_ entry: JournalEntry) -> JournalError? {
        file.withLock { file in
            guard file.state.apply(entry) else { return nil }
            do {
                // A line that was cut is ended, or it would take this one with it.
                let line = (file.isTorn ? [UInt8(ascii: "\n")] : []) + entry.line
                file.isTorn = true
                try Self.write(line, to: file.descriptor, path)
                file.isTorn = false
                file.appended += line.count
                // What could not be written before is missing in it.
                if file.hasFailed || file.appended > max(Self.minimumGrowth, file.snapshot) { try compact(&file) }
                if file.hasFailed { logger.notice("the journal \(path) can be written again") }
                file.hasFailed = false
                return nil
            } catch {
                let error = error as? JournalError ?? JournalError(description: "\(error)")
                if !file.hasFailed { logger.error("\(error) Until it can be, no rollout is accepted.") }
                file.hasFailed = true
                return error
            }
        }
    }

    private func compact(_ file: inout File) throws {
        let snapshot = file.state.snapshot
        let descriptor = try Self.replace(path, with: snapshot)
        close(file.descriptor)
        file.descriptor = descriptor
        file.snapshot = snapshot.count
        file.appended = 0
    }

    // MARK: Files

    /// Writes the file anew, so that at any moment the old or the new one is there as a whole.
    private static func replace(_ path: String, with bytes: [UInt8]) throws -> Int32 {
        let descriptor = try open(path + ".new", O_WRONLY | O_CREAT | O_TRUNC | O_APPEND)
        do {
            try write(bytes, to: descriptor, path + ".new")
            guard fsync(descriptor) == 0, rename(path + ".new", path) == 0 else {
                throw failure("cannot be replaced", path)
            }
        } catch {
            close(descriptor)
            throw error
        }
        return descriptor
    }

    private static func open(_ path: String, _ flags: Int32) throws -> Int32 {
        // For the owner alone: it holds ids and what agents said of their ends.
        let descriptor = Foundation.open(path, flags | O_CLOEXEC, 0o600)
        guard descriptor >= 0 else { throw failure("cannot be opened", path) }
        return descriptor
    }

    private static func contents(of path: String) throws -> [UInt8] {
        let descriptor = Foundation.open(path, O_RDONLY | O_CLOEXEC)
        guard descriptor >= 0 else {
            if errno == ENOENT { return [] }
            throw failure("cannot be read", path)
        }
        defer { close(descriptor) }
        var contents: [UInt8] = []
        var buffer = [UInt8](repeating: 0, count: 1 << 16)
        while true {
            let count = read(descriptor, &buffer, buffer.count)
            if count == 0 { return contents }
            if count < 0, errno == EINTR { continue }
            guard count > 0 else { throw failure("cannot be read", path) }
            contents += buffer[..<count]
        }
    }

    private static func write(_ bytes: [UInt8], to descriptor: Int32, _ path: String) throws {
        var rest = bytes[...]
        while !rest.isEmpty {
            let count = rest.withUnsafeBytes { Foundation.write(descriptor, $0.baseAddress, $0.count) }
            if count < 0, errno == EINTR { continue }
            guard count > 0 else { throw failure("cannot be written", path) }
            rest = rest.dropFirst(count)
        }
    }

    private static func failure(_ what: String, _ path: String) -> JournalError {
        JournalError(description: "The journal \(path) \(what): \(String(cString: strerror(errno))).")
    }
}
