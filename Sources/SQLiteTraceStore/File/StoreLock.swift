// Part of Rollcall. SPDX-License-Identifier: Apache-2.0

import Synchronization
import TraceStore

#if canImport(Glibc)
import Glibc
#else
import Darwin
#endif

/// Keeps a second gateway away from a store, by a lock on a file beside it that ends with the process.
final class StoreLock: Sendable {
    private let descriptor: Mutex<CInt?>

    init(besides path: String) throws(StoreError) {
        let lockPath = path + ".lock"
        let descriptor = open(lockPath, O_RDWR | O_CREAT | O_CLOEXEC, 0o600)
        guard descriptor >= 0 else {
            throw StoreError(
                .unusable,
                "\(lockPath) cannot be opened (\(String(cString: strerror(errno)))); "
                    + "name a file in a folder that exists and can be written to with --store sqlite:PATH")
        }
        guard flock(descriptor, LOCK_EX | LOCK_NB) == 0 else {
            close(descriptor)
            throw StoreError(
                .unusable,
                "another gateway uses \(path); stop it, or give this one a file of its own with --store sqlite:PATH")
        }
        self.descriptor = Mutex(descriptor)
    }

    deinit { release() }

    func release() {
        descriptor.withLock { descriptor in
            if let open = descriptor {
                // A child that another thread is just starting has the descriptor too, until its program runs.
                flock(open, LOCK_UN)
                close(open)
            }
            descriptor = nil
        }
    }
}
