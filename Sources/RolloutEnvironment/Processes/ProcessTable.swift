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

    /// Which processes matter to somebody.
    private struct Scope: Sendable {
        var least: Int32
        var includesOlder: Bool
    }

    private struct State {
        var waiting: [(continuation: CheckedContinuation<[ProcessEntry], Never>, scope: Scope)] = []
        var isReading = false
    }

    private let state = Mutex(State())

    /// Every process that exists from the moment of the call until the answer.
    ///
    /// - Parameters:
    ///   - least: The lowest identifier that matters. Identifiers rise, so what a process has started has a higher one than
    ///     it; when they have come round since, all are looked at.
    ///   - includingOlder: Whether the markers of processes that are older than this program are told.
    func entries(from least: Int32 = 0, includingOlder: Bool = false) async -> [ProcessEntry] {
        await withCheckedContinuation { continuation in
            let begins = state.withLock { state in
                state.waiting.append((continuation, Scope(least: least, includesOlder: includingOlder)))
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
            guard let least = waiting.map(\.scope.least).min() else { return }
            let entries = Self.readAll(
                Scope(least: least, includesOlder: waiting.contains { $0.scope.includesOlder }))
            for waiter in waiting { waiter.continuation.resume(returning: entries) }
        }
    }

    /// What is known of one process; `nil` when there is none.
    static func entry(of identifier: Int32) -> ProcessEntry? {
        var buffer: [UInt8] = []
        guard read("/proc/\(identifier)/stat", into: &buffer) else { return nil }
        return ProcessEntry(stat: buffer)
    }

    private static func readAll(_ scope: Scope) -> [ProcessEntry] {
        // Older ones than this program cannot be its rollouts'.
        let beginning = scope.includesOlder ? 0 : entry(of: getpid())?.started ?? 0
        var newest = newestIdentifier() ?? 0
        var entries: [ProcessEntry] = []
        var buffer: [UInt8] = []
        // A few identifiers are tried quicker than all that are in use are listed. Those of threads are found this way, too,
        // which changes nothing: each stands for its process, which is found as well.
        if scope.least > 1, scope.least <= newest, newest - scope.least < maximumTried {
            var identifier = scope.least
            while identifier <= newest {
                if let entry = read("\(identifier)", startedFrom: beginning, into: &buffer) { entries.append(entry) }
                // What has ended meanwhile may have started others.
                if identifier == newest { newest = newestIdentifier() ?? newest }
                identifier += 1
            }
            return entries
        }
        let least = newest < scope.least ? 0 : scope.least
        guard let folder = opendir("/proc") else { return [] }
        defer { closedir(folder) }
        while let item = readdir(folder) {
            let first = UInt8(bitPattern: item.pointee.d_name.0)
            guard first >= UInt8(ascii: "1"), first <= UInt8(ascii: "9") else { continue }
            let name = withUnsafeBytes(of: &item.pointee.d_name) { bytes in
                String(decoding: bytes.prefix { $0 != 0 }, as: UTF8.self)
            }
            guard Int32(name) ?? 0 >= least else { continue }
            if let entry = read(name, startedFrom: beginning, into: &buffer) { entries.append(entry) }
        }
        return entries
    }

    private static let maximumTried = 256

    private static func read(_ name: String, startedFrom beginning: UInt64, into buffer: inout [UInt8]) -> ProcessEntry?
    {
        guard read("/proc/\(name)/stat", into: &buffer), var entry = ProcessEntry(stat: buffer) else { return nil }
        if entry.started >= beginning, !entry.isZombie, read("/proc/\(name)/environ", into: &buffer) {
            entry.marker = ProcessEntry.value(of: ProcessVariables.marker, in: buffer)
        }
        return entry
    }

    /// The identifier that was given out last.
    private static func newestIdentifier() -> Int32? {
        var buffer: [UInt8] = []
        guard read("/proc/loadavg", into: &buffer) else { return nil }
        let last = buffer.split { $0 == UInt8(ascii: " ") || $0 == UInt8(ascii: "\n") }.last
        return last.flatMap { Int32(String(decoding: $0, as: UTF8.self)) }
    }

    /// Reads a file of `/proc` whole; its room stays with `buffer` for the next.
    private static func read(_ path: String, into buffer: inout [UInt8]) -> Bool {
        let file = open(path, O_RDONLY | O_CLOEXEC)
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
