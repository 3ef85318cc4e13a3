// Part of Rollcall. SPDX-License-Identifier: Apache-2.0

import Foundation

/// A disk as the power may leave it: what was synced is there, of what was written since, anything.
struct Disk {
    typealias Files = [DiskFaults.File: [UInt8]]

    private var synced: Files
    private var pending: [DiskRecord.Entry] = []
    private let record: DiskRecord
    private var next = 0

    /// - Parameter files: What is on it before the record begins.
    init(_ files: Files, _ record: DiskRecord) {
        synced = files
        self.record = record
    }

    /// Goes on to `position` of the record.
    mutating func advance(to position: Int, using random: inout some RandomNumberGenerator) {
        while next < record.entries.count, record.entries[next].payload.upperBound <= position {
            let entry = record.entries[next]
            next += 1
            switch entry.kind {
            case .write, .truncate: pending.append(entry)
            case .unlink:
                synced[entry.file] = nil
                pending.removeAll { $0.file == entry.file }
            case .sync:
                let covered = pending.filter { $0.file == entry.file && $0.start < entry.begin }
                pending.removeAll { $0.file == entry.file && $0.start < entry.begin }
                // After a failed sync the kernel counts what it was to write as written, and no later one tries again.
                for write in covered where !entry.hasFailed || Bool.random(using: &random) {
                    Self.apply(write, of: record, to: &synced)
                }
            }
        }
    }

    /// What is found when the power fails now: all, nothing or any part of what was not synced, cut at any sector.
    func afterPowerLoss(using random: inout some RandomNumberGenerator) -> Files {
        var files = synced
        let shares: [Double] = [0, 0.1, 0.5, 0.9, 1]
        let kept = shares.randomElement(using: &random) ?? 0
        let torn = Bool.random(using: &random)
        for entry in pending {
            if torn, entry.kind == .write {
                for sector in stride(from: 0, to: entry.payload.count, by: 512)
                where Double.random(in: 0..<1, using: &random) < kept {
                    var part = entry
                    part.offset += sector
                    let start = entry.payload.lowerBound + sector
                    part.payload = start..<min(start + 512, entry.payload.upperBound)
                    Self.apply(part, of: record, to: &files)
                }
            } else if Double.random(in: 0..<1, using: &random) < kept {
                Self.apply(entry, of: record, to: &files)
            }
        }
        return files
    }

    // No method of a value that also owns `files`: the copy of it would make every change copy the whole file.
    private static func apply(_ entry: DiskRecord.Entry, of record: DiskRecord, to files: inout Files) {
        let size = entry.kind == .truncate ? entry.offset : entry.offset + entry.payload.count
        var bytes = files.removeValue(forKey: entry.file) ?? []
        if entry.kind == .truncate, bytes.count > size { bytes.removeSubrange(size...) }
        if bytes.count < size { bytes.append(contentsOf: repeatElement(0, count: size - bytes.count)) }
        if entry.kind == .write {
            // In place: `replaceSubrange` makes a new array each time.
            bytes.withUnsafeMutableBytes { bytes in
                record.bytes.withUnsafeBytes {
                    UnsafeMutableRawBufferPointer(rebasing: bytes[entry.offset..<size])
                        .copyMemory(from: UnsafeRawBufferPointer(rebasing: $0[entry.payload]))
                }
            }
        }
        files[entry.file] = bytes
    }
}

extension Disk.Files {
    /// The files of the store at `store`.
    init(of store: URL) throws {
        self.init()
        for file in DiskFaults.File.allCases {
            let path = store.path + file.suffix
            guard FileManager.default.fileExists(atPath: path) else { continue }
            self[file] = [UInt8](try Data(contentsOf: URL(fileURLWithPath: path)))
        }
    }

    /// Puts them where a gateway finds them, and nothing else of a store there.
    func write(to store: URL) throws {
        for suffix in ["", "-wal", "-shm"] { try? FileManager.default.removeItem(atPath: store.path + suffix) }
        for (file, bytes) in self { try Data(bytes).write(to: URL(fileURLWithPath: store.path + file.suffix)) }
    }
}
