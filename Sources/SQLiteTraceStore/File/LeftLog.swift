// Part of Rollcall. SPDX-License-Identifier: Apache-2.0

import TraceStore

#if canImport(Glibc)
import Glibc
#else
import Darwin
#endif

/// The write-ahead log that an earlier gateway has left beside its store.
///
/// After a failed sync it may hold a commit that is in the kernel's memory only. That one is read like any other; and
/// what is added behind it, or moved into the database, would be lost or damaged with it when the power fails.
enum LeftLog {
    /// Writes it over itself and syncs it, so that what is read of it is on the disk.
    static func bringToDisk(_ store: String) throws(StoreError) {
        let path = store + "-wal"
        let descriptor = open(path, O_RDWR | O_CLOEXEC)
        if descriptor < 0, errno == ENOENT { return }
        guard descriptor >= 0 else { throw failure(path) }
        defer { close(descriptor) }
        var buffer = [UInt8](repeating: 0, count: 1 << 20)
        var offset = 0
        while true {
            let count = pread(descriptor, &buffer, buffer.count, off_t(offset))
            guard count >= 0 else { throw failure(path) }
            if count == 0 { break }
            guard pwrite(descriptor, buffer, count, off_t(offset)) == count else { throw failure(path) }
            offset += count
        }
        guard fsync(descriptor) == 0 else { throw failure(path) }
    }

    private static func failure(_ path: String) -> StoreError {
        StoreError(
            .unusable, "\(path) cannot be brought to the disk (\(String(cString: strerror(errno)))); look at the disk")
    }
}
