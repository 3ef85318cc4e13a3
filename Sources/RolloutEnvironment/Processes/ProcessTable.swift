// Part of Rollcall. SPDX-License-Identifier: Apache-2.0

import Foundation
import NIOPosix
import Synchronization

/// Looks at the processes of this machine, once for all who ask at the same time, on a thread that may block.
///
/// To become the reaper of all orphans (`PR_SET_CHILD_SUBREAPER`) would find them without looking at each process, but it
/// is a setting of the whole program that links this library, it makes that program wait for strangers' children, and it
/// does not tell whose orphan one is.
final class ProcessTable: Sendable {
    static let shared = ProcessTable()

    private struct State {
        var waiting: [Waiter] = []
        var isReading = false
    }

    private struct Waiter {
        var continuation: CheckedContinuation<[ProcessEntry], Never>
        var least: Int32
        var olderToo: Bool
    }

    private let state = Mutex(State())

    /// Every process that exists from the moment of the call until the answer.
    ///
    /// - Parameters:
    ///   - least: The lowest identifier that matters. Identifiers rise, so what a process has started has a higher one
    ///     than it; when they have come round since, all are looked at.
    ///   - olderToo: Whether the markers of processes that are older than this program are wanted, too.
    func entries(from least: Int32, olderToo: Bool = false) async -> [ProcessEntry] {
        await withCheckedContinuation { continuation in
            let begins = state.withLock { state in
                state.waiting.append(Waiter(continuation: continuation, least: least, olderToo: olderToo))
                defer { state.isReading = true }
                return !state.isReading
            }
            if begins { NIOThreadPool.singleton.submit { _ in self.read() } }
        }
    }

    private func read() {
        while true {
            // Whoever asks from here on gets the next reading, since this one may have passed what it asks for.
            let waiting = state.withLock { state in
                defer { state.waiting = [] }
                state.isReading = !state.waiting.isEmpty
                return state.waiting
            }
            guard let least = waiting.map(\.least).min() else { return }
            let entries = Self.readAll(from: least, olderToo: waiting.contains(where: \.olderToo))
            for waiter in waiting { waiter.continuation.resume(returning: entries) }
        }
    }

    /// What is known of one process; `nil` when there is none.
    static func entry(of identifier: Int32) -> ProcessEntry? {
        var buffer: [UInt8] = []
        guard read("/proc/\(identifier)/stat", from: AT_FDCWD, into: &buffer) else { return nil }
        return ProcessEntry(stat: buffer)
    }

    private static func readAll(from least: Int32, olderToo: Bool) -> [ProcessEntry] {
        let least = newestIdentifier() ?? 0 < least ? 0 : least
        // Older ones than this program cannot be its rollouts'.
        let beginning = olderToo ? 0 : entry(of: getpid())?.started ?? 0
        guard let folder = opendir("/proc") else { return [] }
        defer { closedir(folder) }
        let place = dirfd(folder)
        var entries: [ProcessEntry] = []
        var buffer: [UInt8] = []
        while let item = readdir(folder) {
            let first = UInt8(bitPattern: item.pointee.d_name.0)
            guard first >= UInt8(ascii: "1"), first <= UInt8(ascii: "9") else { continue }
            let name = withUnsafeBytes(of: &item.pointee.d_name) { bytes in
                String(decoding: bytes.prefix { $0 != 0 }, as: UTF8.self)
            }
            guard Int32(name) ?? 0 >= least, read("\(name)/stat", from: place, into: &buffer),
                var entry = ProcessEntry(stat: buffer)
            else {
                continue
            }
            if entry.started >= beginning, !entry.isZombie, read("\(name)/environ", from: place, into: &buffer) {
                entry.marker = ProcessEntry.value(of: ProcessVariables.marker, in: buffer)
            }
            entries.append(entry)
        }
        return entries
    }

    /// The identifier that was given out last.
    private static func newestIdentifier() -> Int32? {
        var buffer: [UInt8] = []
        guard read("/proc/loadavg", from: AT_FDCWD, into: &buffer) else { return nil }
        let last = buffer.split { $0 == UInt8(ascii: " ") || $0 == UInt8(ascii: "\n") }.last
        return last.flatMap { Int32(String(decoding: $0, as: UTF8.self)) }
    }

    /// Reads a file of `/proc` whole; its room stays with `buffer` for the next.
    private static func read(_ path: String, from folder: Int32, into buffer: inout [UInt8]) -> Bool {
        let file = openat(folder, path, O_RDONLY | O_CLOEXEC)
        guard file >= 0 else { return false }
        defer { close(file) }
        buffer.removeAll(keepingCapacity: true)
        let size = 4_096
        var count = 0
        repeat {
            let before = buffer.count
            guard before < 4 << 20 else { return false }
            buffer.append(contentsOf: repeatElement(0, count: size))
            count = buffer.withUnsafeMutableBytes { Foundation.read(file, $0.baseAddress.map { $0 + before }, size) }
            buffer.removeLast(size - max(count, 0))
        } while count == size
        return count >= 0
    }
}
